"""Confidence intervals and significance tests. The sampling unit is the prompt, within which verdicts are clustered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]
Z95 = 1.959964  # normal quantile, two-sided 95 %
Z80 = 0.841621  # normal quantile, one-sided 80 %
RESAMPLES = 2_000
ROUNDING = 1e-12  # an interval of shares that is narrower has no width
FEWEST = 6  # prompts; a bootstrap interval over fewer is not informative


def wilson_interval(successes: float, trials: float, z: float = Z95) -> tuple[float, float]:
    """Compute the lower and upper Wilson score limit of a proportion, 95 % by default (Wilson 1927, JASA 22:209).

    Args:
        successes: may have halves, for ties.
        trials: at least 1.
    """
    rate, square = successes / trials, z * z / trials
    centre = (rate + square / 2) / (1 + square)
    half = z * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


def exact_upper_limit(successes: float, trials: int) -> float:
    """Return the upper end of the exact two-sided 95 % interval of a proportion; 1 if no trial failed.

    Clopper & Pearson 1934, Biometrika 26:404.
    """
    return 1.0 if successes >= trials else float(betaincinv(successes + 1, trials - successes, 0.975))


@lru_cache(maxsize=8)  # many tables resample equally many prompts
def bootstrap_weights(clusters: int, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Draw bootstrap resamples of clusters (Efron & Tibshirani 1993).

    Returns how often each resample draws each cluster, shape (resamples, clusters). The array is cached and read-only.
    """
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples).astype(np.float64)
    weights.setflags(write=False)
    return weights


def percentile_interval(estimates: Floats) -> tuple[Floats, Floats]:
    """Compute 95 % percentile limits over the first axis of (R, …) resampled estimates, ignoring NaN.

    Returns lower and upper limits of shape (…); NaN where no estimate is finite.
    """
    known = np.isfinite(estimates).any(axis=0)
    limits = np.full((2, *estimates.shape[1:]), np.nan)
    limits[:, known] = np.nanpercentile(estimates[:, known], [2.5, 97.5], axis=0)
    return limits[0], limits[1]


def share_interval(estimates: Floats, shares: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Compute 95 % limits of shares: percentiles of resampled shares, or Wilson's limits where all resamples are equal.

    Resampling gives a share that no trial contradicts, such as 0 of 10, an interval without width.

    Args:
        estimates: (R, …), resampled shares, 0–1; NaN is ignored.
        shares: (…), the shares themselves.
        trials: (…), the number of clusters behind each share, such as prompts, which count as its trials for Wilson.

    Returns lower and upper limits of shape (…); NaN where no estimate is finite.
    """
    low, high = percentile_interval(estimates)
    for place in zip(*np.nonzero(high - low < ROUNDING), strict=True):
        low[place], high[place] = wilson_interval(shares[place] * trials[place], trials[place])
    return low, high


def sign_flip_p(margins: Sequence[int] | NDArray[np.int64]) -> float:
    """Compute the exact two-sided p of the sum of `margins`, where under the null hypothesis each sign is random.

    This is the randomisation test for pairs (Fisher 1935); convolution gives its distribution over all sign flips.

    Args:
        margins: integers, such as wins − losses on each prompt; if all are 0, p is 1.
    """
    sizes = [abs(int(value)) for value in margins if value]
    total, observed = sum(sizes), abs(int(sum(margins)))
    chances = np.zeros(2 * total + 1)
    chances[total] = 1.0  # index i is the probability of the sum i − total
    for size in sizes:
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    distance = np.abs(np.arange(-total, total + 1))
    return min(1.0, float(chances[distance >= observed].sum()))


def random_flip_p(differences: Floats, signs: Floats) -> Floats:
    """Compute two-sided p values of mean paired differences being 0, by random sign flips.

    The observed signs count as one draw, so p is at least 1 / (R + 1) (Phipson & Smyth 2010).

    Args:
        differences: (Q, P), for Q queries and P pairs of arms; NaN where a pair has no difference.
        signs: (R, Q), random −1 or 1.

    Returns the p values, shape (P,); 1 for a pair without any difference or with zeros alone.
    """
    known = np.nan_to_num(differences)
    rounding = 1e-12 * np.abs(known).sum(axis=0)
    reached = np.abs(signs @ known) >= np.abs(known.sum(axis=0)) - rounding
    flipped: Floats = (1 + reached.sum(axis=0)) / (1 + len(signs))
    return flipped


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for their number by Holm's step-down method (1979); return them in the given order."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = largest
    return adjusted
