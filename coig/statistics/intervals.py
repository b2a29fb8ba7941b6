"""Intervals and tests that say how sure a figure is. Prompts are what is drawn at random: all else clusters in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]
Z95 = 1.959964  # of the normal distribution, two-sided 95 %
Z80 = 0.841621  # one-sided 80 %
RESAMPLES = 2_000
FEWEST = 6  # prompts; resampling fewer says nothing


def wilson_interval(successes: float, trials: int, z: float = Z95) -> tuple[float, float]:
    """Score interval of a proportion, 95 % by default (Wilson 1927, JASA 22:209)."""
    rate, square = successes / trials, z * z / trials
    centre = (rate + square / 2) / (1 + square)
    half = z * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


def exact_upper_limit(successes: float, trials: int) -> float:
    """Return the upper end of the exact 95 % interval of a proportion (Clopper & Pearson 1934, Biometrika 26:404)."""
    return 1.0 if successes >= trials else float(betaincinv(successes + 1, trials - successes, 0.975))


@lru_cache(maxsize=8)  # many tables resample the same prompts
def bootstrap_weights(clusters: int, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Return (resamples, clusters) how often each cluster is drawn, read-only (Efron & Tibshirani 1993)."""
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples).astype(np.float64)
    weights.setflags(write=False)
    return weights


def percentile_interval(estimates: Floats) -> tuple[Floats, Floats]:
    """95 % limits over the first axis, NaN where no estimate is finite."""
    known = np.isfinite(estimates).any(axis=0)
    limits = np.full((2, *estimates.shape[1:]), np.nan)
    limits[:, known] = np.nanpercentile(estimates[:, known], [2.5, 97.5], axis=0)
    return limits[0], limits[1]


def sign_flip_p(halves: Sequence[int] | NDArray[np.int64]) -> float:
    """Two-sided p of a sum of whole numbers that are as likely positive as negative, exactly.

    The randomisation test for pairs (Fisher 1935): the distribution over all flips of signs, by convolution.
    """
    sizes = [abs(int(value)) for value in halves if value]
    total, observed = sum(sizes), abs(int(sum(halves)))
    chances = np.zeros(2 * total + 1)
    chances[total] = 1.0  # the sum is the index less `total`
    for size in sizes:
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    distance = np.abs(np.arange(-total, total + 1))
    return min(1.0, float(chances[distance >= observed].sum()))


def random_flip_p(differences: Floats, signs: Floats) -> Floats:
    """(P,) two-sided p of the means of paired differences, (Q, P) with NaN for none, over (R, Q) random signs.

    Never below 1 / (R + 1), for the observed signs are one of the draws (Phipson & Smyth 2010).
    """
    known = np.nan_to_num(differences)
    observed = np.abs(known.sum(axis=0))
    reached = np.abs(signs @ known) >= observed * (1 - 1e-12)
    flipped: Floats = (1 + reached.sum(axis=0)) / (1 + len(signs))
    return flipped


def holm(p_values: Sequence[float]) -> list[float]:
    """p adjusted for the number of tests, in the same order (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = largest
    return adjusted
