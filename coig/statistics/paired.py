"""Paired differences between arms over the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from coig.statistics.intervals import (
    FEWEST,
    RESAMPLES,
    Floats,
    bootstrap_weights,
    percentile_interval,
    random_flip_p,
    wilson_interval,
)

# what is compared query by query; shares count as 0 and 1
SHARES = ("contaminated", "contaminated_any", "finished")
FLIPS = 9_999  # random ones, of signs


def paired(
    part: pl.DataFrame,
    metric: str,
    arms: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[dict[str, Any]]:
    """Each pair's means of a measure over the queries where both have one, their difference, its interval and p.

    Args:
        part: a row per arm and query of one language.
        pairs: places in `arms`.
    """
    wide = part.with_columns(pl.col(metric).cast(pl.Float64)).pivot(on="arm", index="query_id", values=metric)
    values = wide.select(arms).to_numpy()  # (Q, arms), NaN for no answer
    weights, signs = _draws(len(values), seed, resamples)
    differences = np.stack([values[:, a] - values[:, b] for a, b in pairs], axis=1)
    known = np.isfinite(differences)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.nansum(differences, axis=0) / known.sum(axis=0)
        lows, highs = percentile_interval((weights @ np.nan_to_num(differences)) / (weights @ known))
    p_values = random_flip_p(differences, signs)
    rows = []
    for place, (a, b) in enumerate(pairs):
        both = values[known[:, place]]
        limits = (lows[place], highs[place]) if len(both) >= FEWEST else (None, None)
        if metric in SHARES and limits[0] is not None and lows[place] == highs[place]:
            limits = _newcombe(both[:, a].sum(), both[:, b].sum(), len(both))
        sides = both[:, [a, b]].mean(axis=0) if len(both) else (None, None)
        tested = {"low": limits[0], "high": limits[1], "p": float(p_values[place])}
        found = {"of_arm": sides[0], "of_opponent": sides[1], "difference": means[place]} | tested
        rows.append({"arm": arms[a], "opponent": arms[b], "queries": len(both)} | found)
    return rows


@lru_cache(maxsize=4)  # the same for every measure
def _draws(queries: int, seed: int, resamples: int) -> tuple[Floats, Floats]:
    """Weights of the bootstrap, and random signs; (draws, queries) each."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(FLIPS, queries))
    return bootstrap_weights(queries, resamples, seed), signs


def _newcombe(first: float, second: float, queries: int) -> tuple[float, float]:
    """95 % limits of the difference of two shares, from Wilson's (Newcombe 1998, Statistics in Medicine 17:873,
    method 10): for resamples that are all alike, which would make it seem certain."""
    (low, high), (other_low, other_high) = wilson_interval(first, queries), wilson_interval(second, queries)
    rate, other = first / queries, second / queries
    below = np.hypot(rate - low, other_high - other)
    above = np.hypot(high - rate, other - other_low)
    return float(rate - other - below), float(rate - other + above)
