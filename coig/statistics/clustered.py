"""Intervals of a win rate whose verdicts are correlated within prompts and within raters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from coig.statistics.intervals import FEWEST, Floats

ROUNDING = 1e-12  # a variance of scores from 0 to 1 below this is rounding


@dataclass(frozen=True)
class Verdicts:
    """N verdicts on one pair of arms.

    scores: (N,), the first arm's 1 (win), ½ (tie) or 0 (loss). prompts, raters: (N,), indices from 0 without gaps.
    """

    scores: Floats
    prompts: NDArray[np.intp]
    raters: NDArray[np.intp]

    @property
    def rate(self) -> float:
        """Return the first arm's win rate, 0–1."""
        return float(self.scores.mean())

    def by_prompt(self) -> Floats:
        """Return the sum of (score − ½) over each prompt's verdicts, (Q,)."""
        return np.bincount(self.prompts, self.scores - 0.5).astype(np.float64)


def interval_for_new_raters(verdicts: Verdicts) -> tuple[float | None, float | None, float | None]:
    """Return a win rate's lower and upper 95 % limit and two-sided p against ½, for new raters and new prompts.

    The variance is two-way cluster-robust, prompts × raters (Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat.
    29:238), but at least each one-way variance. Limits are Student's t with Satterthwaite's degrees of freedom (1946,
    Biometrics 2:110), cut to 0–1. All three are None for one rater, for fewer than FEWEST prompts, or without variance.
    """
    raters = int(verdicts.raters.max()) + 1
    prompts = int(verdicts.prompts.max()) + 1
    if raters < 2 or prompts < FEWEST:
        return None, None, None
    residuals = verdicts.scores - verdicts.rate
    cells = np.unique(verdicts.prompts * raters + verdicts.raters, return_inverse=True)[1]
    of_prompts, of_raters, of_cells = (
        _clustered_variance(residuals, clusters) for clusters in (verdicts.prompts, verdicts.raters, cells)
    )
    variance, freedom = map(float, combine_clusters(of_prompts, of_raters, of_cells, prompts, raters))
    if variance < ROUNDING:  # also where raters contradict each other so evenly that all sums are one half
        return None, None, None
    error = variance**0.5
    half = stdtrit(freedom, 0.975) * error
    p = 2 * stdtr(freedom, -abs(verdicts.rate - 0.5) / error)
    return max(0.0, verdicts.rate - half), min(1.0, verdicts.rate + half), float(p)


def combine_clusters(
    of_prompts: Floats | float, of_raters: Floats | float, of_cells: Floats | float, prompts: int, raters: int
) -> tuple[Floats, Floats]:
    """Return the two-way variance and its degrees of freedom from variances clustered by prompt, rater and both.

    The formulas are those of `interval_for_new_raters`. The variances may be arrays of one shape; `prompts` and
    `raters` are numbers of clusters, at least two each. Degrees of freedom are 1 where all variances are 0.
    """
    one_way = np.maximum(of_prompts, of_raters)
    variance = np.maximum(np.asarray(of_prompts) + of_raters - of_cells, one_way)
    with np.errstate(invalid="ignore"):
        freedom = variance**2 / (np.square(of_prompts) / (prompts - 1) + np.square(of_raters) / (raters - 1))
    return variance, np.nan_to_num(freedom, nan=1.0)


def _clustered_variance(residuals: Floats, clusters: NDArray[np.intp]) -> float:
    """Return the variance of the mean of N values that are correlated within clusters, from their residuals.

    Args:
        residuals: (N,). clusters: (N,), indices from 0; there must be two clusters or more.
    """
    sums = np.bincount(clusters, residuals)
    return float((sums**2).sum() * len(sums) / (len(sums) - 1) / len(residuals) ** 2)
