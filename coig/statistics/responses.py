"""Estimate how arms respond to a dose, with the dependence between arms that were measured on the same prompts.

A dose is an arm's number of general examples per creative one; a response is what was measured of its answers, such as
the logit of its win rate over the arm with general data alone.

Shapes: N observations, K arms, L combinations of arms; … are any leading dimensions, one entry per data set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from coig.statistics.clustered import combine_clusters
from coig.statistics.intervals import Floats

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Covariance:
    """The covariance of K estimates whose observations are clustered.

    of_prompts: (…, K, K), with clusters of prompts. of_raters, of_cells: (…, K, K), with clusters of raters and of
    (prompt, rater); None for one rater. prompts, raters: numbers of clusters. of_seeds: (…, K, K), what the estimates
    owe to the trained seeds, with seed_freedom degrees of freedom; None if it is not known.
    """

    of_prompts: Floats
    prompts: int
    of_raters: Floats | None = None
    of_cells: Floats | None = None
    raters: int = 1
    of_seeds: Floats | None = None
    seed_freedom: int = 0

    @property
    def total(self) -> Floats:
        """Return the covariance over new prompts and, if known, new seeds, (…, K, K), for the same raters."""
        return self.of_prompts if self.of_seeds is None else self.of_prompts + self.of_seeds

    def combine(self, matrix: Floats) -> Covariance:
        """Return the covariance of L linear combinations of the estimates; `matrix` is (…, L, K)."""

        def combine(part: Floats | None) -> Floats | None:
            """Return the covariance of the combinations from one part of that of the estimates; None stays None."""
            return None if part is None else matrix @ part @ matrix.swapaxes(-1, -2)

        of_prompts = combine(self.of_prompts)
        assert of_prompts is not None
        of_raters, of_cells, of_seeds = map(combine, (self.of_raters, self.of_cells, self.of_seeds))
        return replace(self, of_prompts=of_prompts, of_raters=of_raters, of_cells=of_cells, of_seeds=of_seeds)

    def half_widths(self, matrix: Floats, new_raters: bool = False) -> Floats:
        """Return half the width of the 95 % interval of each combination, (…, L).

        Args:
            matrix: (L, K), the weights of the arms in each combination.
            new_raters: generalise to new raters too, with a two-way cluster-robust variance; needs several raters.
        """
        variance = _variances(self.of_prompts, matrix)
        freedom: Floats | float = self.prompts - 1
        if new_raters:
            assert self.of_raters is not None
            assert self.of_cells is not None
            of_raters, of_cells = _variances(self.of_raters, matrix), _variances(self.of_cells, matrix)
            variance, freedom = combine_clusters(variance, of_raters, of_cells, self.prompts, self.raters)
        if self.of_seeds is not None:
            variance, freedom = self._with_seeds(variance, freedom, _variances(self.of_seeds, matrix))
        half: Floats = stdtrit(freedom, 0.975) * np.sqrt(variance)
        return half

    def _with_seeds(self, variance: Floats, freedom: Floats | float, of_seeds: Floats) -> tuple[Floats, Floats]:
        """Return the sum of `variance` and `of_seeds`, and its degrees of freedom (Satterthwaite 1946).

        Degrees of freedom are 1 where both are 0.
        """
        total = variance + of_seeds
        with np.errstate(invalid="ignore"):
            together = total**2 / (variance**2 / freedom + of_seeds**2 / self.seed_freedom)
        return total, np.nan_to_num(together, nan=1.0)


def _variances(covariance: Floats, matrix: Floats) -> Floats:
    """Return the variances of combinations, (…, L), from a covariance, (…, K, K), and weights, (L, K)."""
    variances: Floats = ((matrix @ covariance) * matrix).sum(axis=-1)
    return variances


@dataclass(frozen=True)
class Responses:
    """The estimated responses of K arms.

    doses: (K,), not falling. values: (…, K). covariance: of the values. are_logits: the values are logits of shares.
    """

    doses: Floats
    values: Floats
    covariance: Covariance
    are_logits: bool = False

    @property
    def is_regular(self) -> bool:
        """Tell whether no combination of the arms is known without error, so that curves can be fitted."""
        spread = np.sqrt(np.diagonal(self.covariance.total, axis1=-2, axis2=-1))
        if not (spread > 0).all():
            return False
        correlations = self.covariance.total / (spread[..., :, None] * spread[..., None, :])
        return bool(np.linalg.eigvalsh(correlations).min() > 1e-8)

    def half_widths(self, new_raters: bool = False) -> Floats:
        """Return half the width of the 95 % interval of each arm's response, (…, K); for new raters if `new_raters`."""
        return self.covariance.half_widths(np.eye(len(self.doses)), new_raters)

    def mirror(self) -> Responses:
        """Return the responses with opposite signs, so that a falling response rises."""
        return replace(self, values=-self.values)

    def combine(self, matrix: Floats, doses: Floats) -> Responses:
        """Return L linear combinations of the responses by the weights `matrix`, (L, K), as responses at `doses`, (L,).

        They no longer count as logits.
        """
        return Responses(doses, self.values @ matrix.T, self.covariance.combine(matrix))

    def of_first(self, count: int) -> Responses:
        """Return the responses of the first `count` arms alone."""
        matrix = np.eye(len(self.doses))[:count]
        return replace(self.combine(matrix, self.doses[:count]), are_logits=self.are_logits)

    def above(self, reference: int) -> Responses:
        """Return the responses of all other arms minus that of the arm at the index `reference`, K − 1 in all.

        They no longer count as logits.
        """
        matrix = np.delete(np.eye(len(self.doses)), reference, axis=0)
        matrix[:, reference] -= 1
        return self.combine(matrix, np.delete(self.doses, reference))

    def within(self, best: int, margin: float) -> Responses:
        """Return each response minus that of the arm at the index `best`, plus `margin`.

        A value of 0 or more means that the arm is within the margin of the best one. They no longer count as logits.
        """
        matrix = np.eye(len(self.doses))
        matrix[:, best] -= 1
        found = self.combine(matrix, self.doses)
        return replace(found, values=found.values + margin)

    def logits(self, counts: Floats) -> Responses:
        """Return the logits of responses that are shares (0–1), by the delta method.

        An arm without variance, such as one that always wins, gets half a success and half a failure more (Haldane
        1956, Annals of Human Genetics 20:309) and the variance of independent observations.

        Args:
            counts: (K,), the number of prompts behind each share.
        """
        spread = np.diagonal(self.covariance.of_prompts, axis1=-2, axis2=-1)
        degenerate = (spread <= 1e-15) | (self.values <= 0) | (self.values >= 1)
        shares = np.where(degenerate, (self.values * counts + 0.5) / (counts + 1), self.values)
        slopes = np.where(degenerate, 0, 1 / (shares * (1 - shares)))
        scale = slopes[..., None] * np.eye(len(self.doses))
        covariance = self.covariance.combine(scale)
        added = np.where(degenerate, 1 / ((counts + 1) * shares * (1 - shares)), 0)[..., None] * np.eye(len(self.doses))
        covariance = replace(covariance, of_prompts=covariance.of_prompts + added)
        return Responses(self.doses, np.log(shares / (1 - shares)), covariance, are_logits=True)


def estimate_responses(
    doses: Floats, values: Floats, arms: Indices, prompts: Indices, raters: Indices | None = None
) -> Responses:
    """Return the mean of each arm's observations, with the covariance of the means.

    Args:
        doses: (K,), the arms' doses.
        values: (N,), of the observations.
        arms, prompts, raters: (N,), the arm, prompt and rater of each observation as indices from 0 without gaps. Every
            arm needs an observation. With one rater, or None for raters, only prompts are clusters.
    """
    counts = np.bincount(arms, minlength=len(doses))
    means = np.bincount(arms, values, minlength=len(doses)) / counts
    influence = (values - means[arms]) / counts[arms]
    covariance = Covariance(_sum_by_cluster(influence, arms, prompts, len(doses)), int(prompts.max()) + 1)
    if raters is not None and (number := int(raters.max()) + 1) > 1:
        cells = np.unique(prompts * number + raters, return_inverse=True)[1]
        covariance = replace(
            covariance,
            of_raters=_sum_by_cluster(influence, arms, raters, len(doses)),
            of_cells=_sum_by_cluster(influence, arms, cells, len(doses)),
            raters=number,
        )
    return Responses(doses, means, covariance)


def _sum_by_cluster(influence: Floats, arms: Indices, clusters: Indices, count: int) -> Floats:
    """Return the cluster-robust covariance of the means of `count` arms, (K, K).

    Args:
        influence: (N,), (value − its arm's mean) / the arm's number of observations. arms, clusters: (N,), indices.
    """
    sums = np.zeros((int(clusters.max()) + 1, count))
    np.add.at(sums, (clusters, arms), influence)
    covariance: Floats = sums.T @ sums * len(sums) / max(1, len(sums) - 1)
    return covariance


def shares_of_counts(doses: Floats, wins: Floats, trials: int) -> Responses:
    """Return published win rates (0–1) as responses, as if the arms had been judged on different prompts.

    The dependence between the arms is not known from their win rates alone. It matters little for the place where a
    curve crosses one half, and more for tests of its shape.

    Args:
        doses: (K,). wins: (K,), of `trials` verdicts each.
    """
    shares = np.asarray(wins, dtype=np.float64) / trials
    variances = shares * (1 - shares) / trials * np.eye(len(shares))
    return Responses(np.asarray(doses, dtype=np.float64), shares, Covariance(variances, trials))


def responses_of_counts(doses: Floats, wins: Floats, trials: int) -> Responses:
    """Return the logits of published win rates as responses; arguments and assumptions as in `shares_of_counts`."""
    return shares_of_counts(doses, wins, trials).logits(np.full(len(doses), float(trials)))
