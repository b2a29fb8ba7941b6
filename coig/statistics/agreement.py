"""Agreement between raters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coig.statistics.intervals import Floats


def alpha(coincidences: Floats) -> Floats:
    """(R,) ordinal α of (R, V, V) coincidences; NaN where nothing varies.

    The distance of two ranks is the number of values from the one to the other, the ends counted half, squared.
    """
    totals = coincidences.sum(axis=2)
    size = totals.shape[1]
    upto = np.cumsum(totals, axis=1)
    between = np.abs(upto[:, :, None] - upto[:, None, :])  # from behind the lower value up to the higher, inclusive
    ends = (totals[:, None, :] - totals[:, :, None]) / 2 * np.sign(np.arange(size)[None, :] - np.arange(size)[:, None])
    distance = (between - ends) ** 2
    whole = totals.sum(axis=1)
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2)) / np.maximum(whole - 1, 1e-9)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(expected > 0, 1 - observed / expected, np.nan)
    return found


def kendall_w(ranks: Floats) -> float | None:
    """Concordance of (m raters, k arms), corrected for ties (Kendall & Babington Smith 1939); None if nobody
    distinguishes any arm. Random rankings give 1 / m, not 0."""
    raters, arms = ranks.shape
    own = _mid_ranks(ranks)
    ties = sum(float((counts**3 - counts).sum()) for row in own for counts in [np.unique(row, return_counts=True)[1]])
    spread = ((own.sum(axis=0) - raters * (arms + 1) / 2) ** 2).sum()
    largest = raters**2 * (arms**3 - arms) - raters * ties
    return float(12 * spread / largest) if largest > 0 else None


def _mid_ranks(values: Floats) -> Floats:
    """Return (m, k) the rank of each value in its row from 1, equal ones sharing their mean rank."""
    lower = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    ranks: Floats = lower + (equal + 1) / 2
    return ranks


def cohen_kappa(counts: NDArray[np.int64]) -> float | None:
    """Return κ of two labellers from their (V, V) table; None where both know one label only.

    Cohen 1960, Educational and Psychological Measurement 20:37.
    """
    total = int(counts.sum())
    equal, by_chance = int(np.trace(counts)), int(counts.sum(axis=0) @ counts.sum(axis=1))  # of total, of total²
    return (total * equal - by_chance) / (total**2 - by_chance) if by_chance < total**2 else None
