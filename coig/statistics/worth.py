"""What a judge is worth in people's labels."""

from __future__ import annotations

import numpy as np

from coig.statistics.calibration import SMALLEST, predict_without_each
from coig.statistics.intervals import FEWEST, Floats, bootstrap_weights, percentile_interval
from coig.statistics.rectified import Indices


def moments_of(verdicts: Floats, features: Floats, judges: int, codes: Indices) -> Floats:
    """Return for each prompt the products of people's mean verdict and the prediction fitted without that prompt.

    Args:
        verdicts: (Q,), people's mean verdicts. codes: (Q,), the prompts' strata.
        features: (Q, F), first the verdicts of `judges` judges, then covariates.

    Returns:
        (Q, 3): prediction², prediction · verdict and verdict², where both are deviations from the stratum's mean.
    """
    _, predicted = predict_without_each(verdicts, features, judges, codes)
    members = np.eye(codes.max() + 1)[codes]
    means = members / members.sum(axis=0)
    centred = [values - members @ (means.T @ values) for values in (predicted, verdicts)]
    products: Floats = np.stack([centred[0] ** 2, centred[0] * centred[1], centred[1] ** 2], axis=-1)
    return products


def estimate_correlation(sums: Floats, seed: int = 0) -> tuple[float, float | None, float | None]:
    """Return the correlation of predictions and people's mean verdicts, with 95 % limits over resampled prompts.

    The correlation is 0 if predictions or verdicts do not vary; limits are None below FEWEST prompts.

    Args:
        sums: (Q, 3), the sums of `moments_of` over each prompt's pairs of arms.
    """
    value = float(_correlation(sums.sum(axis=0)))
    if len(sums) < FEWEST:
        return value, None, None
    [low], [high] = percentile_interval(_correlation(bootstrap_weights(len(sums), seed=seed) @ sums)[:, None])
    return value, float(low), float(high)


def _correlation(sums: Floats) -> Floats:
    """Return correlations from sums of products as in `moments_of`, (…, 3) to (…); 0 without variance."""
    vary = (sums[..., 0] > SMALLEST) & (sums[..., 2] > SMALLEST)
    found: Floats = np.where(vary, sums[..., 1] / np.sqrt(np.where(vary, sums[..., 0] * sums[..., 2], 1)), 0)
    return found


def worth_in_labels(correlation: float, prompts: float, further: float) -> float:
    """Return the factor by which a judge's verdicts on further prompts multiply the worth of people's prompts.

    It is 1 / (1 − ρ²·N / (N + n)) for a correlation ρ with people's mean verdict, at most 10⁹; it is 1, no gain, for a
    negative ρ (Angelopoulos et al. 2023, 2311.01453).

    Args:
        correlation: ρ. prompts: n, judged by people. further: N, judged by the judge alone; may be infinite.
    """
    share = 1.0 if np.isinf(further) else further / (further + prompts)
    return 1 / max(1e-9, 1 - max(0.0, correlation) ** 2 * share)
