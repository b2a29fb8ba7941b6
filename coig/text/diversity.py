"""Measures of lexical diversity.

The type-token ratio (TTR) falls with a text's length. Compare it at equal lengths only, or use a measure that corrects
for length: MATTR, MTLD, HD-D. Each measure takes the words of one text, and returns None if the text is too short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from math import comb

import numpy as np
from numpy.typing import NDArray

MTLD_MINIMUM = 200


def measure_diversity(tokens: Sequence[str]) -> dict[str, float | None]:
    """Return all measures of one text's words by name, None for those that need a longer text; `ttr` is distinct-1."""
    return {
        "ttr": type_token_ratio(tokens),
        "mattr": mattr(tokens),
        "mtld": mtld(tokens),
        "hdd": hdd(tokens),
        "distinct_2": distinct(tokens, 2),
        "distinct_3": distinct(tokens, 3),
        "self_repetition": self_repetition(tokens),
    }


def type_token_ratio(tokens: Sequence[str]) -> float | None:
    """Return the type-token ratio, distinct words / words; None for no words."""
    return len(set(tokens)) / len(tokens) if tokens else None


def ttr_of_first(tokens: Sequence[str], count: int) -> float | None:
    """Return the TTR of the first `count` words, to compare texts at equal length; None for a shorter text."""
    return type_token_ratio(tokens[:count]) if len(tokens) >= count else None


def mattr(tokens: Sequence[str], window: int = 50) -> float | None:
    """Return the moving-average TTR: the mean TTR of all windows of `window` words; None for a shorter text.

    Covington & McFall 2010, J. Quantitative Linguistics 17:94.
    """
    last = len(tokens) - window  # start of the last window
    if last < 0:
        return None
    places = np.arange(len(tokens))
    # Σ types over all windows = Σ over words of the windows in which the word occurs for the first time: those that
    # contain it and begin after its previous occurrence
    windows = np.minimum(places, last) - np.maximum(_previous_places(tokens), places - window)
    return int(windows.clip(min=0).sum()) / (window * (last + 1))


def _previous_places(tokens: Sequence[str]) -> NDArray[np.int64]:
    """Return for each word the index of its previous occurrence, −1 if there is none; (words,) int64."""
    numbers = dict(zip(tokens, range(len(tokens)), strict=True))
    ids = np.fromiter(map(numbers.__getitem__, tokens), np.int64, len(tokens))
    order = np.argsort(ids, kind="stable")
    again = ids[order[1:]] == ids[order[:-1]]
    previous = np.full(len(tokens), -1)
    previous[order[1:][again]] = order[:-1][again]
    return previous


def mtld(tokens: Sequence[str], threshold: float = 0.72) -> float | None:
    """Return MTLD, the mean number of words until TTR falls to `threshold`, over both reading directions.

    None below 200 words, where MTLD is unstable. The words after the last full factor count as a fraction of one
    (McCarthy & Jarvis 2010, Behavior Research Methods 42:381).
    """
    if len(tokens) < MTLD_MINIMUM:
        return None
    factors = _factors(tokens, threshold), _factors(tokens[::-1], threshold)
    return sum(len(tokens) / count for count in factors) / 2


def _factors(tokens: Sequence[str], threshold: float) -> float:
    """Count how often TTR falls to `threshold`, restarting each time; the last words count as a fraction.

    If the count is 0, because no word is repeated, return 1.
    """
    factors, length = 0, 0
    types: set[str] = set()
    for token in tokens:
        length += 1
        if token not in types:
            types.add(token)
        elif len(types) <= threshold * length:  # only a repeated word lowers TTR
            factors, length = factors + 1, 0
            types.clear()
    rest = (1 - len(types) / length) / (1 - threshold) if length else 0
    return factors + rest or 1.0


def hdd(tokens: Sequence[str], draws: int = 42) -> float | None:
    """Return HD-D, the expected TTR of `draws` words drawn without replacement; None for fewer words.

    Σ over types of P(at least one of its tokens is drawn), hypergeometric, divided by `draws` (McCarthy & Jarvis 2010,
    Behavior Research Methods 42:381).
    """
    total = len(tokens)
    if total < draws:
        return None
    types_of = Counter(Counter(tokens).values())  # frequency of a type → number of types with it
    samples = comb(total, draws)
    return sum(types * (1 - comb(total - count, draws) / samples) for count, types in types_of.items()) / draws


def distinct(tokens: Sequence[str], n: int) -> float | None:
    """Return distinct-n, distinct n-grams / n-grams (Li et al. 2016, NAACL, 110–119); None for fewer than n words."""
    grams = len(tokens) - n + 1
    return len(set(_grams(tokens, n))) / grams if grams > 0 else None


def self_repetition(tokens: Sequence[str], n: int = 4) -> float | None:
    """Return the share of n-grams that repeat an earlier one, 1 − distinct-n; None for fewer than n words."""
    share = distinct(tokens, n)
    return None if share is None else 1 - share


def _grams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Return an iterator over the n-grams of words, in order; empty for fewer than n words."""
    return zip(*(islice(tokens, start, None) for start in range(n)), strict=False)
