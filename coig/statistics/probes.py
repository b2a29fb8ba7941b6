"""Measure how a judge errs: shares of clustered values, and biases that people's verdicts do not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from coig.statistics.intervals import FEWEST, Floats

Indices = NDArray[np.intp]
ROUNDING = 1e-20  # a variance of the mean of values from 0 to 1 below this is rounding
LEAST_SIGNAL = 0.05  # share of the variance of people's mean verdicts that is not noise; below, they say too little


@dataclass(frozen=True)
class Probed:
    """A figure with its 95 % limits and the two-sided p of its neutral value.

    Limits and p are None if there are too few prompts, p also if the figure has no neutral value.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None


def estimate_share(values: Floats, prompts: Indices, neutral: float | None = None) -> Probed:
    """Estimate the mean of values between 0 and 1 that are correlated within prompts.

    The limits are Wilson's (1927), with as many trials as independent values of the same variance would be (Korn &
    Graubard 1998, Survey Methodology 24:193) and the quantile of Student's t over prompts. Without variance, every
    prompt is a trial.

    Args:
        values: (N,). prompts: (N,), the prompt of each value.
        neutral: the value that `p` is about; None leaves `p` out.
    """
    codes = np.unique(prompts, return_inverse=True)[1]
    count = int(codes.max()) + 1
    mean = float(values.mean())
    if count < FEWEST:
        return Probed(mean, None, None, None)
    quantile = float(stdtrit(count - 1, 0.975))
    variance = _variance_of_sum((values - mean) / len(values), codes)
    chance = mean * (1 - mean)
    varies = variance > ROUNDING
    trials = chance / variance if varies else float(count)
    square = quantile**2 / trials
    centre, half = (mean + square / 2) / (1 + square), np.sqrt(chance * square + square**2 / 4) / (1 + square)
    p = None
    if neutral is not None:
        error = np.sqrt(variance) if varies else np.sqrt(neutral * (1 - neutral) / count)
        p = float(2 * stdtr(count - 1, -abs(mean - neutral) / error))
    return Probed(mean, max(0.0, float(centre - half)), min(1.0, float(centre + half)), p)


def _variance_of_sum(influences: Floats, codes: Indices) -> float:
    """Return the variance of the sum of influences, (N,), from their sums within clusters, times G / (G − 1).

    G is the number of clusters, two or more; `codes`, (N,), number them from 0 without gaps. The influences sum to 0.
    """
    sums = np.bincount(codes, influences)
    return float((sums**2).sum() * len(sums) / (len(sums) - 1))


def estimate_slope(scores: Floats, covariate: Floats, prompts: Indices) -> Probed | None:
    """Estimate how much a score (0–1) rises per unit of an antisymmetric covariate, without intercept.

    Return None if the covariate is 0 everywhere. The neutral value of `p` is 0.

    Args:
        scores: (N,), of the first answer of a pair. covariate: (N,), with the other sign if the answers are swapped.
        prompts: (N,), the clusters.
    """
    return _solve((covariate**2)[None, None], (covariate * (scores - 0.5))[None], prompts)


def estimate_bias(verdicts: Floats, scores: Floats, covariate: Floats, prompts: Indices) -> Probed | None:
    """Estimate how much a judge's verdict rises per unit of a covariate beyond what people's verdicts explain.

    The judge's verdict is a · (people's preference) + bias · covariate, all counted from one half. People's mean
    verdict is a noisy measure of their preference, which would make a clean judge look biased: the variance of its
    noise, known from the raters of one pair, is subtracted (Fuller 1987, Measurement Error Models, 2.2).

    Args:
        verdicts: (N,), the judge's, 0–1, of the first answer of a pair.
        scores: (N, R), people's, NaN where a rater did not judge; at least two of each pair.
        covariate: (N,), with the other sign if the answers are swapped.
        prompts: (N,), the clusters.

    Returns:
        None if people hardly agree more than by chance, so that their preference is not known; if the covariate is 0
        everywhere; or if preference and covariate cannot be told apart.
    """
    counts = np.isfinite(scores).sum(axis=1)
    mean = np.nanmean(scores, axis=1)
    noise = np.nanvar(scores, axis=1) / (counts - 1)
    people, own = mean - 0.5, verdicts - 0.5
    if (people**2 - noise).sum() < LEAST_SIGNAL * (people**2).sum():
        return None
    products = np.array([[people**2 - noise, people * covariate], [people * covariate, covariate**2]])
    return _solve(products, np.array([people * own, covariate * own]), prompts)


def _solve(products: Floats, moments: Floats, prompts: Indices) -> Probed | None:
    """Solve moment equations, (F, F, N) and (F, N); return the last coefficient with limits clustered by prompt.

    Return None if the equations have no single solution. Limits and p (of 0) are None below FEWEST prompts.
    """
    codes = np.unique(prompts, return_inverse=True)[1]
    total = products.sum(axis=2)
    if not len(codes) or np.linalg.matrix_rank(total) < len(total):
        return None
    inverse = np.linalg.inv(total)
    solution = inverse @ moments.sum(axis=1)
    value = float(solution[-1])
    count = int(codes.max()) + 1
    if count < FEWEST:
        return Probed(value, None, None, None)
    influences = inverse[-1] @ (moments - np.einsum("ijn,j->in", products, solution))
    error = float(np.sqrt(_variance_of_sum(influences, codes)))
    half = float(stdtrit(count - 1, 0.975)) * error
    p = float(2 * stdtr(count - 1, -abs(value) / error)) if error else float(value == 0)
    return Probed(value, value - half, value + half, p)
