"""One training example, and the target that a model learns from it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from coig.fields import LANGUAGES
from coig.thinking import REASONING_END

Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A prompt with the reasoning that leads to its answer; a document has neither, only the answer."""

    id: str
    source: str
    lang: str
    genre: str | None
    prompt: str
    reasoning: str
    answer: str
    system: str | None = None

    @property
    def is_document(self) -> bool:
        return not self.prompt

    @property
    def characters(self) -> int:
        return len(self.prompt) + len(self.reasoning) + len(self.answer)

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for the texts: two examples with one digest are encoded alike."""
        return _digest(self.prompt, self.reasoning, self.answer, self.system or "")


def example_of(fields: Row, *, source: str, lang: str) -> Example:
    """An example of a row's fields, its texts cleaned. Raises ValueError with the reason if it cannot be used.

    A row that names neither prompt nor reasoning is a document.
    """
    document = "prompt" not in fields and "reasoning" not in fields
    prompt, reasoning = ("", "") if document else (clean_text(fields, "prompt"), clean_text(fields, "reasoning"))
    answer = clean_text(fields, "answer")
    if REASONING_END in reasoning:
        raise ValueError(f"reasoning: holds '{REASONING_END}', which would end it early")
    language = fields.get("lang") or lang
    if language not in LANGUAGES:
        raise ValueError(f"lang: '{language}' is none of {', '.join(LANGUAGES)}")
    system = _optional(fields, "system")
    return Example(
        id=_label(fields, "id") or content_id(prompt, reasoning, answer, *([system] if system else [])),
        source=source,
        lang=language,
        genre=_label(fields, "genre"),
        prompt=prompt,
        reasoning=reasoning,
        answer=answer,
        system=system,
    )


def clean_text(fields: Row, name: str) -> str:
    """A field's text, NFC (tokenizers normalise to it, so decoded targets stay equal) and without outer white space.

    Raises ValueError with the reason if there is none.
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
    """What a row is known by that has no id of its own."""
    return _digest(*texts).hex()[:16]


def prompt_key(prompt: str) -> bytes:
    """16 bytes that are the same for prompts that differ only in case, width, white space and punctuation."""
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", prompt).casefold())
    return hashlib.sha256((letters or prompt).encode()).digest()[:16]


def _optional(fields: Row, name: str) -> str | None:
    value = fields.get(name)
    return None if value is None or value == "" or str(value).isspace() else clean_text(fields, name)


def _label(fields: Row, name: str) -> str | None:
    """An optional field that may be a number."""
    value = fields.get(name)
    return None if value is None else _optional({name: str(value)}, name)


def _digest(*texts: str) -> bytes:
    lengths = " ".join(str(len(text)) for text in texts)
    return hashlib.sha256("\0".join((lengths, *texts)).encode()).digest()
