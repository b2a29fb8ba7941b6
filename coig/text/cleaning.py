"""Clean a text, and name texts and prompts by their content."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# all but letters, digits and signs of arithmetic; of these, `-*` count beside a digit and `.:` between two
PUNCTUATION = re.compile(
    r"[-*]{2,}|(?<!\d)[-*](?!\d)|(?<!\d)[.:]|[.:](?!\d)|[^\w+=<>^%/×÷±√\u2190-\u21ff\u2200-\u22ff.:*-]"
)
SIMPLIFIED = Path(__file__).with_name("simplified.txt")  # traditional characters, and below them the simplified ones


def clean_text(fields: Row, name: str) -> str:
    """Return the text of a row's field `name`, NFC-normalised, its lines ended by `\\n`, without outer white space.

    Tokenizers normalise to NFC too, so decoded targets equal the text. In a field named `answer` the first line keeps
    its indentation (`trim_lines`). Raises ValueError with the reason if the field is missing, blank or no valid text.
    """
    value = fields.get(name)
    if value is None:
        raise ValueError(f"{name}: {'empty' if name in fields else 'missing'}")
    if not isinstance(value, str):
        raise ValueError(f"{name}: not a text")
    text = unicodedata.normalize("NFC", re.sub("\r\n?", "\n", value))
    text = trim_lines(text) if name == "answer" else text.strip()
    if not text:
        raise ValueError(f"{name}: empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: damaged characters (not valid UTF-8, or a lone surrogate)") from None
    return text


def trim_lines(text: str) -> str:
    """Return a text without blank lines before it and white space behind it; the first line keeps its indentation.

    Only an indentation of a single space is removed: completions in the style of early language models have one.
    """
    return re.sub(r"\A(?:[^\S\n]*\n)*(?: (?!\s))?", "", text.rstrip())


def content_id(*texts: str) -> str:
    """Return an id of 16 hex digits, hashed from a row's texts, for a row that has no id."""
    return digest_of(*texts).hex()[:16]


def prompt_key(prompt: str) -> bytes:
    """Return a 16-byte hash that ignores a prompt's case, character width, white space and punctuation.

    Traditional characters count as the simplified ones, compatibility forms as plain ones (² as 2). Signs of arithmetic
    and a point or colon between digits are no punctuation: `3+4` is not `3*4`. A prompt of punctuation alone is hashed
    without any change.
    """
    text = re.sub(r"[\s_]+", "", unicodedata.normalize("NFKC", prompt).casefold())
    letters = PUNCTUATION.sub("", text).translate(simplified_characters())
    return hashlib.sha256((letters or prompt).encode()).digest()[:16]


@cache
def simplified_characters() -> dict[int, int]:
    """Return the table for `str.translate` that turns traditional characters into simplified ones, by code point.

    It is from OpenCC 1.4.2's TSCharacters (Apache-2.0), read once.
    """
    traditional, simplified = SIMPLIFIED.read_text(encoding="utf-8").splitlines()
    return str.maketrans(traditional, simplified)


def digest_of(*texts: str) -> bytes:
    """Return the sha256 digest of several texts; moving a boundary between two texts changes it."""
    lengths = " ".join(str(len(text)) for text in texts)
    return hashlib.sha256("\0".join((lengths, *texts)).encode()).digest()
