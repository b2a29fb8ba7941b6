"""Which language an answer is in, told by its script; language identifiers miss mixed texts."""

from __future__ import annotations

import math
import re

from coig.evaluation.lexical import HAN

LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z]+)*")
HAN_PER_WORD = 1.6  # a Latin word says about as much as 1.6 Han characters
PURE = 0.8  # script share from which a text counts as one language


def script_share(text: str) -> float | None:
    """Han / (Han + 1.6 × Latin words), 0 for English and 1 for Chinese; None for a text without either."""
    han, latin = len(HAN.findall(text)), HAN_PER_WORD * len(LATIN_WORD.findall(text))
    return han / (han + latin) if han + latin else None


def language_of(share: float | None) -> str:
    """`zh`, `en`, `mixed`, or `und` where there is nothing to tell it by."""
    if share is None:
        return "und"
    return "zh" if share >= PURE else "en" if share <= 1 - PURE else "mixed"


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Score interval of a proportion, 95 % by default (Wilson 1927, JASA 22:209)."""
    rate, square = successes / trials, z * z / trials
    centre = (rate + square / 2) / (1 + square)
    half = z * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)
