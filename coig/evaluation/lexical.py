"""Lexical diversity. TTR falls with length: compare it at equal lengths only."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import jieba

from coig.language import HAN

jieba.setLogLevel(logging.WARNING)
WORD = re.compile(r"\w+(?:['’-]\w+)*")


def words(text: str) -> list[str]:
    """The lower-cased words of a text; Chinese is segmented with jieba, punctuation is left out."""
    if not HAN.search(text):
        return WORD.findall(text.lower())
    return [word for word in jieba.lcut(text.lower()) if WORD.search(word)]


def type_token_ratio(tokens: Sequence[str]) -> float | None:
    """Distinct words / words; None for no words."""
    return len(set(tokens)) / len(tokens) if tokens else None
