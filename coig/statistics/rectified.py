"""Estimate a win rate from prompts that people judged and further prompts that only a model judged.

The estimate is that of prediction-powered inference with power tuning (PPI++, Angelopoulos, Duchi & Zrnic 2023,
arXiv 2311.01453), stratified (Fisch et al. 2024, arXiv 2406.04291): people's mean, plus how much higher the model's
predictions are on the further prompts than on those that people have judged.

Shapes: Q prompts that people judged, N further ones, R raters; … are any leading dimensions, one entry per data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from coig.statistics.clustered import ROUNDING
from coig.statistics.intervals import Floats
from coig.statistics.raters import estimate_rater_variance

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Rate:
    """A win rate with half the widths of its 95 % intervals; each field is (…).

    half: for these raters and new prompts. half_raters: for new raters too, NaN if unknown.
    """

    rate: Floats
    half: Floats
    half_raters: Floats


@dataclass(frozen=True)
class Predictions:
    """A model's predictions of prompts' mean verdicts: (…, Q) where people judged, (…, N) where they did not."""

    judged: Floats
    others: Floats


@dataclass(frozen=True)
class Strata:
    """The strata of the prompts, such as genres: indices from 0, (Q,) and (N,), each with prompts of both kinds."""

    judged: Indices
    others: Indices

    @staticmethod
    def single(judged: int, others: int) -> Strata:
        """Return a single stratum of `judged` prompts that people judged and `others` further ones."""
        return Strata(np.zeros(judged, dtype=np.intp), np.zeros(others, dtype=np.intp))

    @property
    def shares(self) -> Floats:
        """Return the share of all prompts, of both kinds, in each stratum, (H,)."""
        counts = np.bincount(self.judged) + np.bincount(self.others, minlength=self.judged.max() + 1)
        shares: Floats = counts / counts.sum()
        return shares


def estimate_rate(scores: Floats, predictions: Predictions | None = None, strata: Strata | None = None) -> Rate:
    """Estimate a win rate, by people alone or rectified by predictions.

    All verdicts of a stratum count equally; a stratum counts by its share of all prompts, of both kinds. For these
    raters the interval is Student's t with prompts as clusters. For new raters the variance between raters is added
    (`estimate_rater_variance`), with Satterthwaite's degrees of freedom (1946, Biometrics 2:110), at least one less
    than there are raters.

    Args:
        scores: (…, Q, R), NaN where a rater has not judged a prompt; missing alike in all data sets. Every prompt needs
            a score.
        predictions: None stands for people alone.
        strata: None stands for a single stratum. Without predictions they are not used.
    """
    known = np.isfinite(scores)
    counts = known.reshape(-1, *known.shape[-2:])[0].sum(axis=-1)
    prompts = np.where(known, scores, 0).sum(axis=-1) / counts
    if predictions is None:
        parts = Strata.single(len(counts), 0)
        predictions = Predictions(np.zeros_like(prompts), np.zeros((*prompts.shape[:-1], 0)))
    else:
        parts = strata or Strata.single(len(counts), predictions.others.shape[-1])
    shares = parts.shares
    weights = (shares / np.bincount(parts.judged, counts))[parts.judged]  # of each verdict
    means, variance = _stratum_means(prompts, predictions, parts, weights * counts)
    rate = means @ shares
    if len(shares) > 1:  # how many prompts each stratum has varies too
        total = len(parts.judged) + len(parts.others)
        variance = variance + ((means - rate[..., None]) ** 2) @ shares / total
    variance = np.where(variance < ROUNDING, 0, variance)
    half = stdtrit(len(counts) - len(shares), 0.975) * np.sqrt(variance)
    return Rate(rate, half, _half_for_new_raters(scores, variance, weights, len(counts) - len(shares)))


def _stratum_means(prompts: Floats, predictions: Predictions, strata: Strata, weights: Floats) -> tuple[Floats, Floats]:
    """Return the strata's estimated means, (…, H), and the variance of their weighted sum within strata, (…).

    A rectifier is people's mean verdict on a prompt minus its prediction. Among few prompts, all rectifiers may be
    small by chance; so their variance is computed as if a further prompt had the variance of people alone.

    Args:
        prompts: (…, Q), people's mean verdicts.
        weights: (Q,), of the prompts; they sum to 1, and in a stratum to its share.
    """
    means, variance = [], np.zeros(prompts.shape[:-1])
    for number, share in enumerate(strata.shares):
        judged, others = strata.judged == number, strata.others == number
        own, alone = weights[judged] / share, prompts[..., judged]
        size = len(own)
        mean, spread = _weighted_mean(alone - predictions.judged[..., judged], own)
        spread = (size * spread + _weighted_mean(alone, own)[1]) / (size + 1)
        if others.any():
            further = predictions.others[..., others]
            mean, spread = mean + further.mean(axis=-1), spread + further.var(axis=-1) / others.sum()
        means.append(mean)
        variance = variance + share**2 * spread
    return np.stack(means, axis=-1), variance


def _weighted_mean(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the mean of values, (…, Q), by weights, (Q,), that sum to 1, and the variance of this mean."""
    mean = values @ weights
    deviations = weights * (values - mean[..., None])
    return mean, (deviations**2).sum(axis=-1) * len(weights) / (len(weights) - 1)


def _half_for_new_raters(scores: Floats, variance: Floats, weights: Floats, freedom: int) -> Floats:
    """Return half the width of the 95 % interval for new raters and new prompts, (…); NaN if it is unknown.

    Args:
        variance: (…), of the rate for these raters, with `freedom` degrees of freedom.
        weights: (Q,), the weight in the rate of each verdict on a prompt.
    """
    between = estimate_rater_variance(scores)
    if between is None:
        return np.full_like(variance, np.nan)
    known = np.isfinite(scores).reshape(-1, *scores.shape[-2:])[0]
    spread = float(((weights @ known) ** 2).sum())  # the mean's variance, if the raters' own means have variance 1
    whole = variance + between.variance * spread
    of_raters = np.where(between.variance > 0, between.raw * spread, 0)  # no more than noise: prompts alone vary
    with np.errstate(invalid="ignore", divide="ignore"):
        own = whole**2 / (variance**2 / freedom + of_raters**2 / between.freedom)
    half: Floats = stdtrit(np.nan_to_num(own, nan=1.0).clip(between.freedom), 0.975) * np.sqrt(whole)
    return half


def narrower(alone: Rate, together: Rate) -> Rate:
    """Return `together` where its interval for these raters is narrower, else `alone`.

    With `together`, the half width for new raters is the smaller of the two, so that no interval widens.
    """
    helps = together.half < alone.half
    halves = np.fmin(together.half_raters, alone.half_raters)  # people's own width is valid for a better estimate
    return Rate(
        np.where(helps, together.rate, alone.rate),
        np.where(helps, together.half, alone.half),
        np.where(helps, halves, alone.half_raters),
    )
