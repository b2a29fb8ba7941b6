"""Clean a text, and name texts and prompts by their content."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

Row = dict[str, Any]


def clean_text(fields: Row, name: str) -> str:
    """Return a field's text in NFC, its lines ended by `\\n`, without outer white space.

    Tokenizers normalise to NFC, so decoded targets stay equal.

    Raises ValueError with the reason if there is none.
    """
    value = fields.get(name)
    if value is None:
        raise ValueError(f"{name}: {'empty' if name in fields else 'missing'}")
    if not isinstance(value, str):
        raise ValueError(f"{name}: not a text")
    text = unicodedata.normalize("NFC", re.sub("\r\n?", "\n", value)).strip()
    if not text:
        raise ValueError(f"{name}: empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: damaged characters (not valid UTF-8, or a lone surrogate)") from None
    return text


def content_id(*texts: str) -> str:
    """Return an id made of a row's texts, for a row without one."""
    return digest_of(*texts).hex()[:16]


def prompt_key(prompt: str) -> bytes:
    """16 bytes that are the same for prompts that differ only in case, width, white space and punctuation."""
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", prompt).casefold())
    return hashlib.sha256((letters or prompt).encode()).digest()[:16]


def digest_of(*texts: str) -> bytes:
    lengths = " ".join(str(len(text)) for text in texts)
    return hashlib.sha256("\0".join((lengths, *texts)).encode()).digest()
