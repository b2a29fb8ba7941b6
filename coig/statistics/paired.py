"""Differences between arms that are measured on the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from coig.statistics.intervals import (
    FEWEST,
    RESAMPLES,
    Floats,
    bootstrap_weights,
    percentile_interval,
    random_flip_p,
    wilson_interval,
)

FLIPS = 9_999  # random ones, of signs


@dataclass(frozen=True)
class PairedDifference:
    """Two arms' means over the `n` queries where both were measured, and their difference.

    The means and the difference are NaN without such a query, the 95 % limits None for fewer than FEWEST.
    """

    n: int
    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float


def paired_differences(
    values: Floats,
    pairs: Sequence[tuple[int, int]],
    shares: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[PairedDifference]:
    """Compare arms in pairs, with limits over resampled queries and p by random flips of signs.

    Args:
        values: (queries, arms), NaN where an arm was not measured.
        pairs: columns of `values`, the first arm's and the second's.
        shares: the values are 0 and 1. Where all resamples are alike, the limits are Newcombe's.
    """
    weights, signs = _draws(len(values), seed, resamples)
    differences = np.stack([values[:, a] - values[:, b] for a, b in pairs], axis=1)
    known = np.isfinite(differences)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.nansum(differences, axis=0) / known.sum(axis=0)
        lows, highs = percentile_interval((weights @ np.nan_to_num(differences)) / (weights @ known))
    p_values = random_flip_p(differences, signs)
    found = []
    for place, pair in enumerate(pairs):
        both = values[known[:, place]][:, pair]
        n, limits = len(both), (float(lows[place]), float(highs[place]))
        if shares and n and limits[0] == limits[1]:
            limits = newcombe_interval(both[:, 0].sum(), both[:, 1].sum(), n)
        low, high = limits if n >= FEWEST else (None, None)
        first, second = map(float, both.mean(axis=0) if n else (np.nan, np.nan))
        found.append(PairedDifference(n, first, second, float(means[place]), low, high, float(p_values[place])))
    return found


@lru_cache(maxsize=4)  # the same for every measure
def _draws(queries: int, seed: int, resamples: int) -> tuple[Floats, Floats]:
    """Return the bootstrap's weights and random signs, (draws, queries) each."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(FLIPS, queries))
    return bootstrap_weights(queries, resamples, seed), signs


def newcombe_interval(first: float, second: float, trials: int) -> tuple[float, float]:
    """Return 95 % limits of the difference of two shares of `trials` each, from the limits of both by Wilson.

    Newcombe 1998, Statistics in Medicine 17:873, method 10. It stays wide where both shares are 0 or 1, where
    resampling would call the difference certain.
    """
    (low, high), (other_low, other_high) = wilson_interval(first, trials), wilson_interval(second, trials)
    rate, other = first / trials, second / trials
    below = np.hypot(rate - low, other_high - other)
    above = np.hypot(high - rate, other - other_low)
    return float(rate - other - below), float(rate - other + above)
