"""Estimate how much raters differ in taste, from the verdicts of several raters.

Shapes: Q prompts, R raters; … are any leading dimensions, one entry per data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coig.statistics.intervals import Floats

ROUNDING = 1e-9  # a smaller share of the raters' sum of squares, beyond what noise explains, is rounding


@dataclass(frozen=True)
class RaterVariance:
    """The variance between raters' own means.

    variance: (…), beyond what the noise of their verdicts explains, at least 0. raw: (…), with that noise. freedom:
    degrees of freedom of `raw`.
    """

    variance: Floats
    raw: Floats
    freedom: int


def estimate_rater_variance(scores: Floats) -> RaterVariance | None:
    """Estimate the variance between raters by Henderson's method 3 (1953, Biometrics 9:226).

    Let T be the raters' sums of scores after each prompt's mean is removed, and C the information that T holds on the
    raters. TᵀC⁺T is set equal to its expectation, σ²·trace(C) + noise·rank(C), and solved for σ². If every rater has
    judged every prompt, this is the usual (MS of raters − MS of residuals) / prompts. If no prompt has two raters, the
    mean of all scores is removed instead of each prompt's.

    Args:
        scores: (…, Q, R), NaN where a rater has not judged a prompt; missing alike in all data sets.

    Returns:
        None for one rater, or if nothing is left to estimate the noise from.
    """
    known = np.isfinite(scores)
    judged = known.reshape(-1, *known.shape[-2:])[0].astype(np.float64)  # (Q, R)
    per_prompt, per_rater = judged.sum(axis=1), judged.sum(axis=0)
    filled = np.where(known, scores, 0)
    if per_prompt.max(initial=0) > 1:
        means = filled.sum(axis=-1, keepdims=True) / np.maximum(per_prompt, 1)[:, None]
        shared, freedom = judged.T @ (judged / np.maximum(per_prompt, 1)[:, None]), (per_prompt - 1).clip(0).sum()
    else:
        means = filled.sum(axis=(-1, -2), keepdims=True) / max(1.0, judged.sum())
        shared, freedom = np.outer(per_rater, per_rater) / max(1.0, judged.sum()), judged.sum() - 1
    deviations = np.where(known, scores - means, 0)
    information = np.diag(per_rater) - shared
    rank = int(np.linalg.matrix_rank(information))
    if rank == 0 or freedom <= rank:
        return None
    sums = deviations.sum(axis=-2)
    of_raters = ((sums @ np.linalg.pinv(information, hermitian=True)) * sums).sum(axis=-1)
    noise = ((deviations**2).sum(axis=(-1, -2)) - of_raters) / (freedom - rank)
    beyond = of_raters - rank * noise
    trace = np.trace(information)
    return RaterVariance(np.where(beyond > ROUNDING * of_raters, beyond, 0) / trace, of_raters / trace, rank)
