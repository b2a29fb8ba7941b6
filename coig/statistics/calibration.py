"""Predict people's mean verdicts on prompts from model judges' verdicts, calibrated where people have judged.

Shapes: Q prompts that people judged, N further ones, F features; … are any leading dimensions, one entry per data set.
"""

from __future__ import annotations

import numpy as np

from coig.statistics.intervals import Floats
from coig.statistics.rectified import Indices, Predictions, Strata

SMALLEST = 1e-12  # variance; below it a feature is constant


def calibrate(
    verdicts: Floats, judged: Floats, others: Floats, judges: int, strata: Strata | None = None
) -> Predictions:
    """Predict people's mean verdicts by least squares and scale the predictions by λ of PPI++, from 0 to 1.

    For a prompt that people judged, coefficients and λ are computed without that prompt; a further prompt gets the mean
    of λ · coefficients. A judge's verdict can only raise a prediction: the judge with the most negative coefficient is
    left out until none is negative. If no judge is left, predictions are 0. Predictions are used in differences only,
    so they have no intercept.

    Args:
        verdicts: (…, Q), the mean of people's verdicts on a prompt.
        judged, others: (…, Q, F) and (…, N, F), the features of both kinds of prompts: first the judges' verdicts, then
            covariates.
        judges: how many of the features are judges; with 0, covariates alone predict.
        strata: None stands for a single stratum. Means are removed within strata; coefficients are common to all.
    """
    size, further = verdicts.shape[-1], others.shape[-2]
    codes = np.zeros(size, dtype=np.intp) if strata is None else strata.judged
    centre = (judged.sum(axis=-2) + others.sum(axis=-2))[..., None, :] / (size + further)
    slopes, predicted = predict_without_each(verdicts, judged - centre, judges, codes)
    tuned = _tune(predicted, verdicts, codes) / (1 + size / max(1, further))
    mean = (tuned[..., None] * slopes).mean(axis=-2)
    return Predictions(tuned * predicted, ((others - centre) @ mean[..., None])[..., 0])


def predict_without_each(verdicts: Floats, features: Floats, judges: int, codes: Indices) -> tuple[Floats, Floats]:
    """Return for each prompt the coefficients fitted without it, (…, Q, F), and their prediction for it, (…, Q).

    A ridge as strong as one prompt that shows no relation keeps the coefficients finite.

    Args:
        verdicts: (…, Q). features: (…, Q, F), first the verdicts of `judges` judges, then covariates.
        codes: (Q,), the prompts' strata.
    """
    own, target = _remove_means(features, codes), _remove_means(verdicts[..., None], codes)
    size, count = features.shape[-2:]
    leverage = _leverage(codes)[:, None]
    gram = own.swapaxes(-1, -2) @ own
    ridge = (np.diagonal(gram, axis1=-2, axis2=-1)[..., None] / size + SMALLEST) * np.eye(count)
    grams = (gram + ridge)[..., None, :, :] - leverage[..., None] * own[..., :, None] * own[..., None, :]
    moments = (own * target).sum(axis=-2, keepdims=True) - leverage * own * target
    slopes = _solve_for_rising(grams, moments, judges)
    return slopes, (slopes * features).sum(axis=-1)


def _solve_for_rising(grams: Floats, moments: Floats, judges: int) -> Floats:
    """Solve the normal equations, (…, F, F) and (…, F), leaving out judges until no judge's coefficient is negative.

    The judges are the first `judges` features. Coefficients of judges left out are 0. If all judges are left out, all
    coefficients are 0; if `judges` is 0, covariates keep theirs.
    """
    active = np.ones(moments.shape, dtype=bool)
    identity = np.eye(moments.shape[-1])
    while True:
        held = np.where(active[..., :, None] & active[..., None, :], grams, identity)
        slopes: Floats = np.linalg.solve(held, np.where(active, moments, 0)[..., None])[..., 0]
        if judges == 0:
            return slopes
        lowest = slopes[..., :judges].argmin(axis=-1)[..., None]
        negative = np.take_along_axis(slopes, lowest, axis=-1) < 0
        if not negative.any():
            return slopes * active[..., :judges].any(axis=-1, keepdims=True)
        np.put_along_axis(active, lowest, np.take_along_axis(active, lowest, axis=-1) & ~negative, axis=-1)


def _tune(predicted: Floats, verdicts: Floats, codes: Indices) -> Floats:
    """Return for each prompt the factor λ, (…, Q), 0–1, with which the predictions lower the variance most.

    It is found without that prompt, and 0 if the predictions do not vary.
    """
    own, target = (_remove_means(values[..., None], codes)[..., 0] for values in (predicted, verdicts))
    leverage = _leverage(codes)
    both, square = own * target, own**2
    shared = both.sum(axis=-1, keepdims=True) - leverage * both
    spread = square.sum(axis=-1, keepdims=True) - leverage * square
    share: Floats = np.where(spread > SMALLEST, shared / np.maximum(spread, SMALLEST), 0).clip(0, 1)
    return share


def _remove_means(values: Floats, codes: Indices) -> Floats:
    """Return values, (…, Q, F), minus their mean over the prompts of the same stratum; `codes`, (Q,): the strata."""
    members = np.eye(codes.max() + 1)[codes]
    centred: Floats = values - members @ ((members / members.sum(axis=0)).T @ values)
    return centred


def _leverage(codes: Indices) -> Floats:
    """Return n / (n − 1) for each prompt, (Q,), where n is the number of prompts in its stratum; 1 if n is 1.

    A sum of products of centred values falls by this multiple of a prompt's product when that prompt is left out.
    """
    counts = np.bincount(codes)[codes]
    multiple: Floats = counts / np.maximum(counts - 1, 1)
    return multiple
