"""Lexical diversity. TTR falls with length: compare it at equal lengths only, or use the measures that level length.

A measure takes the words of one text, and is None where the text is too short for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from math import comb

import numpy as np
from numpy.typing import NDArray

MTLD_MINIMUM = 200


def diversity(tokens: Sequence[str]) -> dict[str, float | None]:
    """All measures of one text; distinct-1 is TTR."""
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
    """Distinct words / words; None for no words."""
    return len(set(tokens)) / len(tokens) if tokens else None


def ttr_of_first(tokens: Sequence[str], count: int) -> float | None:
    """TTR of the first `count` words, to compare texts at equal length; None for a shorter text."""
    return type_token_ratio(tokens[:count]) if len(tokens) >= count else None


def mattr(tokens: Sequence[str], window: int = 50) -> float | None:
    """Moving-average TTR, the mean of all windows' (Covington & McFall 2010, J. Quantitative Linguistics 17:94)."""
    last = len(tokens) - window  # where the last window begins
    if last < 0:
        return None
    places = np.arange(len(tokens))
    # a word is one of the types of those windows that hold it and begin behind its previous place
    windows = np.minimum(places, last) - np.maximum(_previous_places(tokens), places - window)
    return int(windows.clip(min=0).sum()) / (window * (last + 1))


def _previous_places(tokens: Sequence[str]) -> NDArray[np.int64]:
    """(words,) where each word stood last before, −1 for a new one."""
    numbers = dict(zip(tokens, range(len(tokens)), strict=True))
    ids = np.fromiter(map(numbers.__getitem__, tokens), np.int64, len(tokens))
    order = np.argsort(ids, kind="stable")
    again = ids[order[1:]] == ids[order[:-1]]
    previous = np.full(len(tokens), -1)
    previous[order[1:][again]] = order[:-1][again]
    return previous


def mtld(tokens: Sequence[str], threshold: float = 0.72) -> float | None:
    """Mean length of the stretches that keep TTR above a threshold; None below 200 words, too few to be stable.

    Mean of both directions; the rest behind the last stretch counts as the part of a factor that it is
    (McCarthy & Jarvis 2010, Behavior Research Methods 42:381).
    """
    if len(tokens) < MTLD_MINIMUM:
        return None
    factors = _factors(tokens, threshold), _factors(tokens[::-1], threshold)
    return sum(len(tokens) / count for count in factors) / 2


def _factors(tokens: Sequence[str], threshold: float) -> float:
    """Count how often TTR falls to the threshold, plus the last, partial factor; 1 for a text without repetition."""
    factors, length = 0, 0
    types: set[str] = set()
    for token in tokens:
        types.add(token)
        length += 1
        if len(types) <= threshold * length:
            factors, length = factors + 1, 0
            types.clear()
    rest = (1 - len(types) / length) / (1 - threshold) if length else 0
    return factors + rest or 1.0


def hdd(tokens: Sequence[str], draws: int = 42) -> float | None:
    """HD-D, the expected TTR of `draws` words drawn at random without replacement; None for fewer words.

    Summed over the types, 1 − P(none of its tokens is drawn), hypergeometric, over `draws` (McCarthy & Jarvis 2010,
    Behavior Research Methods 42:381).
    """
    total = len(tokens)
    if total < draws:
        return None
    types_of = Counter(Counter(tokens).values())  # how many types there are of each frequency
    samples = comb(total, draws)
    return sum(types * (1 - comb(total - count, draws) / samples) for count, types in types_of.items()) / draws


def distinct(tokens: Sequence[str], n: int) -> float | None:
    """Distinct n-grams / n-grams (Li et al. 2016, NAACL, 110–119); None for fewer than n words."""
    grams = len(tokens) - n + 1
    return len(set(_grams(tokens, n))) / grams if grams > 0 else None


def self_repetition(tokens: Sequence[str], n: int = 4) -> float | None:
    """Share of a text's n-grams that stood in it before, 1 − distinct-n; None for fewer than n words."""
    share = distinct(tokens, n)
    return None if share is None else 1 - share


def _grams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(islice(tokens, start, None) for start in range(n)), strict=False)
