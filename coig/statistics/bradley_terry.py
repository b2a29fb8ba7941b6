"""Fit the model of Bradley & Terry (1952, Biometrika 39:324) with ties by Davidson (1970, JASA 65:317).

For arms i and j with δ = θᵢ − θⱼ the odds of win : tie : loss are exp(δ/2) : ν : exp(−δ/2). δ may contain a covariate
of the pair, such as the log of its answers' length ratio. The covariate must change sign when i and j are swapped, and
is not centred.

Shapes: R data sets, P pairs (or single verdicts), F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from coig.statistics.intervals import Floats

WIN, TIE, LOSS = range(3)
RIDGE = 1e-6  # keeps the strength of an arm that always wins finite, and the sum of strengths at zero
STEPS = 50  # most Newton steps
LARGEST_STEP = 2.0  # a Newton step changes no coefficient by more


def fit_bradley_terry(features: Floats, counts: Floats) -> Floats:
    """Compute maximum-likelihood coefficients and log ν of R data sets at once, by Newton's method with a slight ridge.

    Args:
        features: (P, F); δ is their weighted sum.
        counts: (R, P, 3), wins, ties and losses.

    Returns:
        (R, F + 1), the F coefficients and log ν, which is −∞ if no data set has a tie.
    """
    ties = bool(counts[..., TIE].any())
    size = features.shape[1]
    beta = np.zeros((len(counts), size + 1))
    totals = counts.sum(axis=-1)
    for _ in range(STEPS):
        chances = predict_chances(features, beta, ties)
        gradient, hessian = _derivatives(features, counts, totals, chances, beta)
        if not ties:
            gradient, hessian[:, size, :], hessian[:, :, size] = gradient * ([1] * size + [0]), 0, 0
            hessian[:, size, size] = 1
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        beta += step.clip(-LARGEST_STEP, LARGEST_STEP)
        if np.abs(step).max() < 1e-9:
            break
    if not ties:
        beta[:, size] = -np.inf
    return beta


def predict_chances(features: Floats, beta: Floats, ties: bool) -> Floats:
    """Return the probabilities of win, tie and loss, (R, P, 3).

    Args:
        features: (P, F).
        beta: (R, F + 1), as `fit_bradley_terry` returns it.
        ties: False gives ties a probability of 0.
    """
    delta = beta[:, :-1] @ features.T
    tie = beta[:, -1:] + np.zeros_like(delta) if ties else np.full_like(delta, -np.inf)
    logits = np.stack([delta / 2, tie, -delta / 2], axis=-1)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances: Floats = odds / odds.sum(axis=-1, keepdims=True)
    return chances


def _derivatives(
    features: Floats, counts: Floats, totals: Floats, chances: Floats, beta: Floats
) -> tuple[Floats, Floats]:
    """Return the gradient, (R, F + 1), and negative Hessian, (R, F + 1, F + 1), of the log-likelihood with the ridge.

    Shapes are those of `fit_bradley_terry`; totals: (R, P), the sums of counts; chances: (R, P, 3), from
    `predict_chances`.
    """
    lead = (chances[..., WIN] - chances[..., LOSS]) / 2
    scores = (counts[..., WIN] - counts[..., LOSS]) / 2 - totals * lead
    tie_scores = counts[..., TIE] - totals * chances[..., TIE]
    gradient = np.concatenate([scores @ features, tie_scores.sum(axis=-1, keepdims=True)], axis=-1) - RIDGE * beta
    of_delta = totals * ((chances[..., WIN] + chances[..., LOSS]) / 4 - lead**2)
    of_both = -totals * lead * chances[..., TIE]
    of_ties = totals * chances[..., TIE] * (1 - chances[..., TIE])
    size = features.shape[1]
    hessian = np.empty((len(counts), size + 1, size + 1))
    hessian[:, :size, :size] = np.einsum("rp,pf,pg->rfg", of_delta, features, features, optimize=True)
    hessian[:, :size, size] = hessian[:, size, :size] = of_both @ features
    hessian[:, size, size] = of_ties.sum(axis=-1)
    return gradient, hessian + RIDGE * np.eye(size + 1)


def is_connected(arms: Sequence[str], pairs: Sequence[tuple[str, str]], counts: Floats) -> bool:
    """Tell whether every arm has beaten or tied every other one, directly or through a chain of arms.

    Args:
        pairs: no two of the same two arms; a pair that is missing links nothing.
        counts: (P, 3), wins, ties and losses of the first arm of each of `pairs`.
    """
    held = np.eye(len(arms), dtype=bool)
    for (arm, opponent), (wins, ties, losses) in zip(pairs, counts, strict=True):
        first, second = arms.index(arm), arms.index(opponent)
        held[first, second], held[second, first] = wins + ties > 0, losses + ties > 0
    return bool(np.linalg.matrix_power(held, len(arms) - 1).all())  # chains of at most so many wins or ties


def clustered_error(features: Floats, counts: Floats, beta: Floats, clusters: pl.Series) -> float:
    """Return the cluster-robust (sandwich) standard error of the last feature's coefficient, for one data set.

    Args:
        features: (P, F), a row per verdict.
        counts: (1, P, 3), each verdict as one win, tie or loss.
        beta: (1, F + 1), as `fit_bradley_terry` returns it.
        clusters: (P,), the cluster, such as the prompt, of each verdict.
    """
    ties = bool(np.isfinite(beta[0, -1]))
    finite = np.where(np.isfinite(beta), beta, 0)
    chances = predict_chances(features, beta, ties)
    _, hessian = _derivatives(features, counts, counts.sum(axis=-1), chances, finite)
    lead = (chances[0, :, WIN] - chances[0, :, LOSS]) / 2
    scores = ((counts[0, :, WIN] - counts[0, :, LOSS]) / 2 - lead)[:, None] * features
    if ties:
        scores = np.column_stack([scores, counts[0, :, TIE] - chances[0, :, TIE]])
    size = scores.shape[1]
    codes = np.unique(clusters.to_numpy(), return_inverse=True)[1]
    sums = np.zeros((codes.max() + 1, size))
    np.add.at(sums, codes, scores)
    bread = np.linalg.inv(hessian[0, :size, :size])
    variance = bread @ (sums.T @ sums) @ bread * len(sums) / max(1, len(sums) - 1)
    return float(np.sqrt(variance[features.shape[1] - 1, features.shape[1] - 1]))
