"""Clean a text, and name texts and prompts by their content."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

Row = dict[str, Any]


def clean_text(fields: Row, name: str) -> str:
    """Return the text of a row's field, NFC-normalised and stripped of outer white space.

    Tokenizers normalise to NFC too, so decoded targets equal the text. Raises ValueError with the reason if the field
    holds no usable text.
    """
    value = fields.get(name)
    if value is None:
        raise ValueError(f"{name}: {'empty' if name in fields else 'missing'}")
    if not isinstance(value, str):
        raise ValueError(f"{name}: not a text")
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise ValueError(f"{name}: empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: damaged characters (not valid UTF-8, or a lone surrogate)") from None
    return text


def content_id(*texts: str) -> str:
    """Return an id of 16 hex digits, hashed from a row's texts, for a row that has no id."""
    return digest_of(*texts).hex()[:16]


def prompt_key(prompt: str) -> bytes:
    """Return a 16-byte hash that ignores a prompt's case, character width, white space and punctuation."""
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", prompt).casefold())
    return hashlib.sha256((letters or prompt).encode()).digest()[:16]


def digest_of(*texts: str) -> bytes:
    """Return the sha256 digest of several texts; moving a boundary between two texts changes it."""
    lengths = " ".join(str(len(text)) for text in texts)
    return hashlib.sha256("\0".join((lengths, *texts)).encode()).digest()
