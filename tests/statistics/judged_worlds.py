"""Made-up prompts that people and a judge judge, many data sets at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coig.statistics.intervals import Floats
from coig.statistics.rectified import Indices

RATERS = 4
SHARPNESS = 0.35  # a rater agrees with the better answer of a prompt in 85 % of verdicts


@dataclass(frozen=True)
class World:
    """R data sets of Q prompts that people judged and N that only the judge did.

    scores: (R, Q, 4). judged, others: (R, Q, 2) and (R, N, 2), the judge's soft verdict from one half, and a length
    that says nothing. these: (R,), the true win rate for these four raters; for all raters `rate`. strata: (Q + N,).
    """

    scores: Floats
    judged: Floats
    others: Floats
    these: Floats
    rate: float
    strata: Indices


def make_world(
    rng: np.random.Generator, data_sets: int, prompts: int, further: int, agreement: float, **options: float
) -> World:
    """Draw data sets.

    Args:
        agreement: how often the judge's verdict is that of a rater: 0.5 by chance, at most 0.85.
        options: taste, the standard deviation of the raters' own win rates (0). rate, the true win rate (0.55).
            strata, how many there are, which differ in their rates (1).
    """
    taste, rate, strata = (
        options.get(key, default) for key, default in (("taste", 0.0), ("rate", 0.55), ("strata", 1))
    )
    total = prompts + further
    codes = rng.integers(int(strata), size=total)
    better = 0.5 + (rate - 0.5) / (2 * SHARPNESS) + 0.15 * (codes - (strata - 1) / 2)
    wins = rng.random((data_sets, total)) < better
    right = rng.random((data_sets, total)) < 0.5 + (agreement - 0.5) / (2 * SHARPNESS)
    lead = np.where(wins == right, 3.0, -3.0) + rng.normal(size=wins.shape)
    features = np.stack([1 / (1 + np.exp(-lead)) - 0.5, rng.normal(size=wins.shape)], axis=-1)
    tastes = taste * rng.normal(size=(data_sets, RATERS))
    chances = np.where(wins, 0.5 + SHARPNESS, 0.5 - SHARPNESS)[:, :prompts, None] + tastes[:, None, :]
    scores = (rng.random((data_sets, prompts, RATERS)) < chances).astype(np.float64)
    these = rate + tastes.mean(axis=1)
    return World(scores, features[:, :prompts], features[:, prompts:], these, rate, codes)
