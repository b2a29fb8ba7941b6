"""One training example, and the target that a model learns from it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Literal

from coig.config import ConfigError

REASONING_START = "<think>\n"
REASONING_END = "</think>"

Kind = Literal["creative", "general"]


class DataError(ConfigError):
    """Data that cannot be used, with file, line and remedy."""


@dataclass(frozen=True)
class Example:
    """A prompt with the reasoning that leads to its answer."""

    id: str
    source: str
    kind: Kind
    lang: str
    genre: str | None
    prompt: str
    reasoning: str
    answer: str
    system: str | None = None

    def fields(self) -> dict[str, str | None]:
        return asdict(self)


def reasoning_block(reasoning: str) -> str:
    """What stands before the answer in a target that holds the reasoning."""
    return f"{REASONING_START}{reasoning}\n{REASONING_END}\n\n"


def split_completion(text: str) -> tuple[str, str]:
    """Reasoning and answer of a generated completion; the inverse of a target's `reasoning_block` + answer.

    Reasoning that never ended is all reasoning: nothing of it is an answer. Text without reasoning is all answer.
    """
    opening = REASONING_START.rstrip()
    stripped = text.strip()
    if not stripped.startswith(opening):
        return "", stripped
    reasoning, _, answer = stripped.removeprefix(opening).partition(REASONING_END)
    return reasoning.strip(), answer.strip()


def content_id(prompt: str, answer: str) -> str:
    """A stable id for a row that has none."""
    return hashlib.sha256(f"{prompt}\0{answer}".encode()).hexdigest()[:16]
