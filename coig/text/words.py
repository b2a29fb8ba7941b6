"""The words of a text in either language: Chinese is segmented as jieba does it."""

from __future__ import annotations

import re
from functools import lru_cache

import rjieba
from jieba import finalseg

from coig.text.language import HAN

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SINGLE = frozenset("+#&._%-") | {chr(code) for code in range(0x4E00, 0x9FD6)}  # what jieba's model may segment


def words(text: str) -> list[str]:
    """The lower-cased words of a text; one with Chinese is segmented as jieba does it, punctuation is left out."""
    if not HAN.search(text):
        return WORD.findall(text.lower())
    return [word for word in segmented(text.lower()) if word[0].isalnum()]


def segmented(text: str) -> list[str]:
    """Exactly `jieba.lcut(text)`, faster.

    The words of the dictionary are rjieba's. What it leaves is segmented by jieba's own model: the one in rjieba has
    six decimals, so that close calls (常在他 …) end otherwise, and it cuts ASCII otherwise.
    """
    found: list[str] = []
    run = ""
    for word in rjieba.cut(text, hmm=False):
        if word in SINGLE or (word.isascii() and word.isalnum()):
            run += word
        else:
            if run:
                found += _unknown_words(run)
                run = ""
            found.append(word)
    if run:
        found += _unknown_words(run)
    return found


@lru_cache(maxsize=1 << 17)  # the same few come again and again
def _unknown_words(run: str) -> tuple[str, ...]:
    """The words of what stands between two words of the dictionary, by jieba's hidden Markov model."""
    return tuple(run) if len(run) == 1 or rjieba.has_word(run) else tuple(finalseg.cut(run))
