"""Tables of the automatic measures: by arm, by genre, and arms compared query by query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.answers import DIVERSITY
from coig.evaluation.intervals import (
    FEWEST,
    RESAMPLES,
    Floats,
    bootstrap_weights,
    holm,
    percentile_interval,
    random_flip_p,
    wilson_interval,
)

# what is compared query by query; shares count as 0 and 1
SHARES = ("contaminated", "contaminated_any", "finished")
METRICS = ("tokens", "characters", *DIVERSITY, *SHARES)
COMPARISONS: dict[str, Any] = {
    **dict.fromkeys(("lang", "metric", "arm", "opponent"), pl.String),
    "queries": pl.Int64,
    **dict.fromkeys(("difference", "low", "high", "p", "p_holm"), pl.Float64),
}
FLIPS = 9_999  # random ones, of signs


def automatic_table(answers: pl.DataFrame) -> pl.DataFrame:
    """Lengths, diversity, contamination and the share of finished answers per (lang, arm), in the arms' order.

    `contaminated`: share of answers in the other language; `contaminated_any`: those that mix both count too; both
    with 95 % Wilson intervals over all queries. Lengths are means over all answers, diversity over those long enough.
    `foreign_characters` is the mean share of the other script's letters, `foreign_position` the mean place (0–1) at
    which it begins in contaminated answers.
    """
    table = (
        answers.group_by("lang", "arm", maintain_order=True)
        .agg(
            queries=pl.len(),
            empty=(pl.col("characters") == 0).sum(),
            finished=pl.col("finished").mean(),
            tokens=pl.col("tokens").mean(),
            characters=pl.col("characters").mean(),
            ttr_median=pl.col("ttr").median(),
            **{f"{measure}_mean": pl.col(measure).mean() for measure in DIVERSITY},
            **{f"{measure}_answers": pl.col(measure).count() for measure in DIVERSITY},
            **{label: (pl.col("language") == label).sum() for label in ("zh", "en", "mixed", "und")},
            foreign=pl.col("contaminated").sum(),
            foreign_any=pl.col("contaminated_any").sum(),
            foreign_characters=pl.col("foreign_characters").mean(),
            foreign_position=pl.col("foreign_position").mean(),
        )
        .with_columns(
            contaminated=pl.col("foreign") / pl.col("queries"),
            contaminated_any=pl.col("foreign_any") / pl.col("queries"),
        )
    )
    for count, rate in (("foreign", "contaminated"), ("foreign_any", "contaminated_any")):
        limits = [wilson_interval(row[count], row["queries"]) for row in table.iter_rows(named=True)]
        lows, highs = zip(*limits, strict=True)
        table = table.with_columns(pl.Series(f"{rate}_low", lows), pl.Series(f"{rate}_high", highs))
    return table


def genre_table(answers: pl.DataFrame) -> pl.DataFrame:
    """The main measures per (lang, genre, arm)."""
    means = ("tokens", "characters", "ttr", "contaminated", "finished")
    grouped = (
        answers.drop_nulls("genre")
        .sort("lang", "genre", descending=[True, False], maintain_order=True)
        .group_by("lang", "genre", "arm", maintain_order=True)
    )
    return grouped.agg(queries=pl.len(), **{name: pl.col(name).mean() for name in means})


def comparisons(answers: pl.DataFrame, seed: int = 0, resamples: int = RESAMPLES) -> pl.DataFrame:
    """Differences of two arms' means over the queries that both answered, by language and measure.

    95 % intervals over resampled queries; `p` by random flips of signs, `p_holm` corrected for the pairs of arms.
    """
    parts = answers.partition_by("lang", maintain_order=True)
    rows = [row for part in parts for row in _differences(part, seed, resamples)]
    return pl.DataFrame(rows, schema=COMPARISONS).with_columns(pl.col(pl.Float64).fill_nan(None))


def _differences(part: pl.DataFrame, seed: int, resamples: int) -> Iterator[dict[str, Any]]:
    arms = part["arm"].unique(maintain_order=True).to_list()
    pairs = list(combinations(range(len(arms)), 2))
    for metric in METRICS if pairs else ():
        shared = [one for one in paired(part, metric, arms, pairs, seed, resamples) if one["queries"]]
        for found, p in zip(shared, holm([one["p"] for one in shared]), strict=True):
            yield {"lang": part["lang"][0], "metric": metric} | found | {"p_holm": p}


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
