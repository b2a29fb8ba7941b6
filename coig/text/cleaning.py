"""Clean a text, and name texts and prompts by their content."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

Row = dict[str, Any]


def clean_text(fields: Row, name: str) -> str:
    """A field's text, NFC (tokenizers normalise to it, so decoded targets stay equal) and without outer white space.

    An answer's first line keeps its indentation.
    Raises ValueError with the reason if there is none.
    """
    value = fields.get(name)
    if value is None:
        raise ValueError(f"{name}: {'empty' if name in fields else 'missing'}")
    if not isinstance(value, str):
        raise ValueError(f"{name}: not a text")
    text = unicodedata.normalize("NFC", value)
    text = trim_lines(text) if name == "answer" else text.strip()
    if not text:
        raise ValueError(f"{name}: empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: damaged characters (not valid UTF-8, or a lone surrogate)") from None
    return text


def trim_lines(text: str) -> str:
    """Remove blank lines before a text and all white space behind it; the first line keeps its indentation.

    A single space is none: completions in the style of early language models begin with one.
    """
    return re.sub(r"\A(?:[^\S\n]*\n)*(?: (?!\s))?", "", text.rstrip())


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
