"""Split the variance of observations into parts: of prompts, seeds, raters and whatever else groups them.

An observation is modelled as its arm's mean plus an independent random effect of each factor's level plus a rest. The
variances are found by equating the sums of squares of every factor's groups with their expectations (Henderson 1953,
Biometrics 9:226, method 1, for designs of any balance), and are not below zero.

Shapes: N observations, K arms, F factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from coig.statistics.intervals import Floats
from coig.statistics.responses import Indices, Responses

REST = "rest"  # what no factor explains


def variance_parts(values: Floats, arms: Indices, factors: Mapping[str, Indices]) -> dict[str, float]:
    """Return {factor: the variance of one observation that it causes}, and the rest under REST, pooled over the arms.

    A factor that cannot be told from a later one, from the rest or from the arms is left out, such as raters if there
    is one rater.

    Args:
        values: (N,). arms: (N,), indices from 0; at least one arm needs two observations.
        factors: for each factor the levels of the observations, (N,), indices from 0. A level that two arms share,
            such as a prompt, has another effect in each of them.
    """
    groups = {name: _number(arms, levels) for name, levels in factors.items()}
    groups[REST] = np.arange(len(values))
    groups = _without_equal(groups | {"arm": arms})
    del groups["arm"]
    names = list(groups)
    means = np.bincount(arms, values) / np.maximum(1, np.bincount(arms))
    residuals = values - means[arms]
    squares = np.array([(np.bincount(groups[name], residuals) ** 2).sum() for name in names])
    expected = np.array([[_expect_growth(arms, groups[one], groups[other]) for other in names] for one in names])
    variances = np.linalg.lstsq(expected, squares, rcond=None)[0]
    return dict(zip(names, map(float, np.maximum(0, variances)), strict=True))


def _number(first: Indices, second: Indices) -> Indices:
    """Return for each pair (first[i], second[i]) a number, (N,), from 0 without gaps; equal pairs have the same."""
    numbers: Indices = np.unique(first * (int(second.max(initial=0)) + 1) + second, return_inverse=True)[1]
    return numbers


def _without_equal(groups: Mapping[str, Indices]) -> dict[str, Indices]:
    """Return the groupings by name, without those that split the observations exactly as a later one does."""
    names = list(groups)
    sizes = {name: int(groups[name].max()) + 1 for name in names}
    same = {
        name
        for place, name in enumerate(names)
        for other in names[place + 1 :]
        if sizes[name] == sizes[other] == int(_number(groups[name], groups[other]).max()) + 1
    }
    return {name: groups[name] for name in names if name not in same}


def _expect_growth(arms: Indices, one: Indices, other: Indices) -> float:
    """Return by how much the sum of squares of `one` is expected to grow per unit of the variance that `other` causes.

    The sum is over the groups of `one`, of the square of a group's summed residuals. All groups lie within arms. The
    result is the sum over the arms of tr(C B₁ C B₂): C subtracts the arm's mean; B₁ (B₂) has a 1 for each two
    observations in one group of `one` (`other`).
    """
    joint = _number(one, other)
    of_joint, of_one, of_other, of_arm = (np.bincount(codes) for codes in (joint, one, other, arms))
    first = np.zeros(len(of_joint), dtype=np.intp)
    first[joint] = np.arange(len(joint))  # an observation of each joint group
    arm = arms[first]
    within = (of_joint.astype(np.float64) ** 2).sum()
    across = (of_joint * of_one[one[first]] * of_other[other[first]] / of_arm[arm]).sum()
    total_one, total_other = (np.bincount(arms, sizes[codes]) for sizes, codes in ((of_one, one), (of_other, other)))
    count = np.maximum(1, of_arm)
    return float(within - 2 * across + (total_one * total_other / count**2).sum())


def add_seeds(
    responses: Responses,
    values: Floats,
    arms: Indices,
    prompts: Indices,
    runs: Indices,
    opponents: Indices | None = None,
    are_shares: bool = False,
) -> Responses:
    """Return the responses with the covariance that their means owe to the seeds that were trained.

    The variance between seeds is pooled over the arms. The responses are returned unchanged if no arm has several
    seeds, since the variance is then not known, or if all of them are shares of 0 or 1.

    Args:
        responses: of the arms, as `estimate_responses` returns them.
        values, arms, prompts: (N,), the same as `estimate_responses` was given.
        runs: (N,), the number of the trained model that gave the observation.
        opponents: (N,), the number of the trained model that it was compared with, whose seeds vary too; None if the
            observations are no comparisons.
        are_shares: the responses are shares p; their variance between seeds is taken as proportional to p (1 − p).
    """
    trained = np.unique(np.stack([arms, runs]), axis=1)
    freedom = trained.shape[1] - len(responses.doses)
    if freedom < 1:
        return responses
    spread = np.ones(len(responses.doses))
    if are_shares:
        spread = np.sqrt(np.maximum(0, responses.values * (1 - responses.values)))
    known = spread[arms] > 0
    if not known.any():  # all answers alike
        return responses
    scaled = values[known] / spread[arms[known]]
    factors = {"prompts": prompts[known], "seeds": runs[known], "answers": _number(prompts[known], runs[known])}
    variance = variance_parts(scaled, arms[known], factors).get("seeds", 0.0)
    shares = [_shares(arms, group, len(spread)) for group in (runs, opponents) if group is not None]
    shared = sum(part @ part.T for part in shares) * np.outer(spread, spread)
    covariance = replace(responses.covariance, of_seeds=variance * shared, seed_freedom=freedom)
    return replace(responses, covariance=covariance)


def _shares(arms: Indices, groups: Indices, count: int) -> Floats:
    """Return the share, 0–1, of each arm's observations that is in each group, (K, groups)."""
    table = np.zeros((count, int(groups.max()) + 1))
    np.add.at(table, (arms, groups), 1.0)
    shares: Floats = table / table.sum(axis=1, keepdims=True)
    return shares
