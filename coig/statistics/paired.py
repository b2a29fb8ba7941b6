"""Differences between the means of arms that are measured on the same queries."""

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

FLIPS = 9_999  # random sign vectors of the sign-flip test


@dataclass(frozen=True)
class PairedDifference:
    """Two arms' means over the `n` queries where both were measured, and their difference, with 95 % limits and p.

    The difference is first − second. Means and difference are NaN and p is 1 if `n` is 0; the limits are None if `n` is
    below FEWEST.
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
    """Compute the paired difference of means, first − second, for each pair of arms.

    The limits are percentiles over resampled queries, p comes from a sign-flip test and is not adjusted.

    Args:
        values: (queries, arms), NaN where an arm was not measured.
        pairs: for each pair, the columns of the first arm and of the second in `values`.
        shares: whether the values are 0 and 1. Then a difference that is the same in all resamples gets Newcombe's
            limits.
        seed: of resamples and sign flips.
        resamples: number of bootstrap resamples.
    """
    weights, signs = _draws(len(values), seed, resamples)
    differences = np.stack([values[:, a] - values[:, b] for a, b in pairs], axis=1)
    known = np.isfinite(differences)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.nansum(differences, axis=0) / known.sum(axis=0)
        lows, highs = percentile_interval((weights @ np.nan_to_num(differences)) / (weights @ known))
    p_values = random_flip_p(differences, signs)
    found = []
    for index, pair in enumerate(pairs):
        both = values[known[:, index]][:, pair]
        n, limits = len(both), (float(lows[index]), float(highs[index]))
        if shares and n and limits[0] == limits[1]:
            limits = newcombe_interval(both[:, 0].sum(), both[:, 1].sum(), n)
        low, high = limits if n >= FEWEST else (None, None)
        first, second = map(float, both.mean(axis=0) if n else (np.nan, np.nan))
        found.append(PairedDifference(n, first, second, float(means[index]), low, high, float(p_values[index])))
    return found


@lru_cache(maxsize=4)  # every measure uses the same draws
def _draws(queries: int, seed: int, resamples: int) -> tuple[Floats, Floats]:
    """Return bootstrap weights, (resamples, queries), and random signs ±1, (FLIPS, queries), the same at every call."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(FLIPS, queries))
    return bootstrap_weights(queries, resamples, seed), signs


def newcombe_interval(first: float, second: float, trials: int) -> tuple[float, float]:
    """Return 95 % limits of the difference of two shares, first − second, from their Wilson limits.

    Newcombe 1998, Statistics in Medicine 17:873, method 10. If both shares are 0 or 1 the interval stays wide, while
    resampling would give it no width.

    Args:
        first, second: numbers of successes.
        trials: number of trials of each share.
    """
    (low, high), (other_low, other_high) = wilson_interval(first, trials), wilson_interval(second, trials)
    rate, other = first / trials, second / trials
    below = np.hypot(rate - low, other_high - other)
    above = np.hypot(high - rate, other - other_low)
    return float(rate - other - below), float(rate - other + above)
