"""Coefficients of agreement between raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coig.statistics.intervals import Floats


def count_coincidences(units: Sequence[tuple[str, Sequence[float]]]) -> Floats:
    """Count for each two values how often two raters of one unit give them, in a matrix for each cluster of units.

    With m raters of a unit, each ordered pair of raters counts 1 / (m − 1) (Krippendorff 2011, "Computing
    Krippendorff's alpha-reliability").

    Args:
        units: the cluster and the raters' values, at least two, of each unit.

    Returns:
        (C, V, V), for C clusters and V distinct values, both in ascending order.
    """
    values = {value: place for place, value in enumerate(sorted({value for _, given in units for value in given}))}
    clusters = {cluster: place for place, cluster in enumerate(sorted({cluster for cluster, _ in units}))}
    tables = np.zeros((len(clusters), len(values), len(values)))
    for cluster, given in units:
        counts = np.bincount([values[value] for value in given], minlength=len(values)).astype(np.float64)
        tables[clusters[cluster]] += (np.outer(counts, counts) - np.diag(counts)) / (counts.sum() - 1)
    return tables


def krippendorff_alpha(coincidences: Floats) -> Floats:
    """Compute Krippendorff's ordinal α for each of R coincidence matrices.

    The distance of two values is squared: the number of ratings from one to the other, those at both ends counted half.

    Args:
        coincidences: (R, V, V), symmetric, over V values in ascending order.

    Returns:
        (R,), NaN where all ratings are equal or there are none.
    """
    totals = coincidences.sum(axis=2)
    size = totals.shape[1]
    upto = np.cumsum(totals, axis=1)
    between = np.abs(upto[:, :, None] - upto[:, None, :])  # ratings above the lower value, up to the higher, inclusive
    ends = (totals[:, None, :] - totals[:, :, None]) / 2 * np.sign(np.arange(size)[None, :] - np.arange(size)[:, None])
    distance = (between - ends) ** 2
    whole = totals.sum(axis=1)
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2)) / np.maximum(whole - 1, 1e-9)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(expected > 0, 1 - observed / expected, np.nan)
    return found


def kendall_w(ranks: Floats) -> float | None:
    """Compute Kendall's W, the concordance of m raters, corrected for ties (Kendall & Babington Smith 1939).

    Random rankings give 1 / m, not 0.

    Args:
        ranks: (m, k), each rater's ranks or scores of k arms.

    Returns:
        from 0 to 1; None if every rater ties all arms, or for a single arm.
    """
    raters, arms = ranks.shape
    own = _mid_ranks(ranks)
    ties = sum(float((counts**3 - counts).sum()) for row in own for counts in [np.unique(row, return_counts=True)[1]])
    spread = ((own.sum(axis=0) - raters * (arms + 1) / 2) ** 2).sum()
    largest = raters**2 * (arms**3 - arms) - raters * ties
    return float(12 * spread / largest) if largest > 0 else None


def mean_spearman(ranks: Floats) -> float | None:
    """Compute the mean over pairs of raters of Spearman's ρ, the correlation of their ranks (ties: mean ranks).

    Args:
        ranks: (m, k), each rater's ranks or scores of k arms.

    Returns:
        from −1 to 1; None if fewer than two raters tell any arms apart. Raters who tie all arms are left out.
    """
    own = _mid_ranks(ranks)
    deviations = own - own.mean(axis=1, keepdims=True)
    lengths = np.sqrt((deviations**2).sum(axis=1, keepdims=True))
    ordered = (lengths > 0).all(axis=1)
    if ordered.sum() < 2:
        return None
    directions = deviations[ordered] / lengths[ordered]
    return float((directions @ directions.T)[np.triu_indices(len(directions), 1)].mean())


def _mid_ranks(values: Floats) -> Floats:
    """Rank the values of each row, (m, k) to (m, k): the smallest gets 1, and equal values share their mean rank."""
    lower = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    ranks: Floats = lower + (equal + 1) / 2
    return ranks


def cohen_kappa(counts: Floats) -> Floats:
    """Compute Cohen's κ of two labellers (1960, Educational and Psychological Measurement 20:37).

    Args:
        counts: (…, V, V), items by the first labeller's label and the second's.

    Returns:
        (…), NaN where both labellers use one and the same label throughout, or without items.
    """
    total = counts.sum(axis=(-1, -2))
    # agreements × total, and agreements expected by chance × total²
    equal, by_chance = np.trace(counts, axis1=-2, axis2=-1), (counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (total * equal - by_chance) / (total**2 - by_chance)
    return np.where(by_chance < total**2, found, np.nan)
