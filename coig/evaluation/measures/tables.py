"""Tables of the automatic measures: means by arm and by genre, and paired differences between arms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import polars as pl

from coig.evaluation.measures.answers import DIVERSITY
from coig.statistics.intervals import RESAMPLES, holm, wilson_interval
from coig.statistics.paired import PairedDifference, paired_differences
from coig.text.language_codes import LANGUAGES

SHARES = ("contaminated", "contaminated_any", "finished")  # 0 or 1 for an answer
METRICS = ("tokens", "characters", *DIVERSITY, *SHARES)
AUTOMATIC: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm"), pl.String),
    **dict.fromkeys(("queries", "empty"), pl.Int64),
    **dict.fromkeys(("finished", "tokens", "characters", "ttr_median"), pl.Float64),
    **{f"{measure}_mean": pl.Float64 for measure in DIVERSITY},
    **{f"{measure}_answers": pl.Int64 for measure in DIVERSITY},  # answers long enough for the measure
    **dict.fromkeys(("zh", "en", "mixed", "und", "foreign", "foreign_any"), pl.Int64),  # numbers of answers
    **dict.fromkeys(("foreign_characters", "foreign_position", "contaminated", "contaminated_any"), pl.Float64),
    **dict.fromkeys(("contaminated_low", "contaminated_high"), pl.Float64),
    **dict.fromkeys(("contaminated_any_low", "contaminated_any_high"), pl.Float64),
}
GENRES: dict[str, Any] = {
    **dict.fromkeys(("lang", "genre", "arm"), pl.String),
    "queries": pl.Int64,
    **dict.fromkeys(("tokens", "characters", "ttr", "contaminated", "finished"), pl.Float64),
}
COMPARISONS: dict[str, Any] = {
    **dict.fromkeys(("lang", "metric", "arm", "opponent"), pl.String),
    "queries": pl.Int64,
    **dict.fromkeys(("difference", "low", "high", "p", "p_holm"), pl.Float64),
}


def automatic_table(answers: pl.DataFrame) -> pl.DataFrame:
    """Average the measures of the answers by (lang, arm), in the order of the rows; columns as in AUTOMATIC.

    Lengths are means over all answers; measures of diversity are means over answers long enough for them.
    `contaminated` is the share of answers in the other language, `contaminated_any` that of answers in or mixed with
    it, `foreign` and `foreign_any` are their numbers; all are null where most answers are empty. Both shares have 95 %
    Wilson intervals. `foreign_characters` is the mean share of the other script's letters. `foreign_position` is the
    mean place (0–1) at which the other script begins in contaminated or mixed answers.

    Args:
        answers: the frame of `measure_answers`, with at least one row.
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
            **{
                count: pl.when(pl.col(column).count() > 0).then(pl.col(column).sum())
                for count, column in (("foreign", "contaminated"), ("foreign_any", "contaminated_any"))
            },
            foreign_characters=pl.col("foreign_characters").mean(),
            foreign_position=pl.col("foreign_position").mean(),
        )
        .with_columns(
            contaminated=pl.col("foreign") / pl.col("queries"),
            contaminated_any=pl.col("foreign_any") / pl.col("queries"),
        )
    )
    for count, rate in (("foreign", "contaminated"), ("foreign_any", "contaminated_any")):
        limits = [
            (None, None) if row[count] is None else wilson_interval(row[count], row["queries"])
            for row in table.iter_rows(named=True)
        ]
        lows, highs = zip(*limits, strict=True)
        table = table.with_columns(pl.Series(f"{rate}_low", lows), pl.Series(f"{rate}_high", highs))
    return table.select(pl.col(name).cast(kind) for name, kind in AUTOMATIC.items())


def genre_table(answers: pl.DataFrame) -> pl.DataFrame:
    """Average the main measures by (lang, genre, arm), Chinese first; columns as in GENRES.

    Answers to queries without a genre are left out.
    """
    means = ("tokens", "characters", "ttr", "contaminated", "finished")
    grouped = (
        answers.drop_nulls("genre")
        .sort(pl.col("lang").cast(pl.Enum(LANGUAGES)), "genre", maintain_order=True)
        .group_by("lang", "genre", "arm", maintain_order=True)
    )
    table = grouped.agg(queries=pl.len(), **{name: pl.col(name).mean() for name in means})
    return table.select(pl.col(name).cast(kind) for name, kind in GENRES.items())


def comparison_table(answers: pl.DataFrame, seed: int = 0, resamples: int = RESAMPLES) -> pl.DataFrame:
    """Compute the paired difference of every two arms in every measure, by language; columns as in COMPARISONS.

    `difference` is the first arm's mean minus the opponent's, over the queries where both have the measure; a pair
    without such queries has no row. `low` and `high` are 95 % limits over resampled queries, null below FEWEST queries.
    `p` is of a sign-flip test, `p_holm` corrected for the pairs of arms.
    """
    parts = answers.partition_by("lang", maintain_order=True)
    rows = [row for part in parts for row in _differences(part, seed, resamples)]
    return pl.DataFrame(rows, schema=COMPARISONS).with_columns(pl.col(pl.Float64).fill_nan(None))


def _differences(part: pl.DataFrame, seed: int, resamples: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of `comparison_table` for the answers of one language."""
    arms = part["arm"].unique(maintain_order=True).to_list()
    pairs = list(combinations(arms, 2))
    for metric in METRICS if pairs else ():
        compared = zip(pairs, compare_arms(part, metric, pairs, seed, resamples), strict=True)
        shared = [(pair, found) for pair, found in compared if found.n]
        for ((arm, opponent), found), p in zip(shared, holm([found.p for _, found in shared]), strict=True):
            yield {
                "lang": part["lang"][0],
                "metric": metric,
                "arm": arm,
                "opponent": opponent,
                "queries": found.n,
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "p": found.p,
                "p_holm": p,
            }


def compare_arms(
    answers: pl.DataFrame,
    metric: str,
    pairs: Sequence[tuple[str, str]],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[PairedDifference]:
    """Compute the difference, first − second, of each pair of arms in one measure, over queries where both have it.

    p is not corrected for the number of pairs.

    Args:
        answers: a row per arm and query, with the column `metric`; every named arm needs a row.
        pairs: names of the first and the second arm.
    """
    wide = answers.with_columns(pl.col(metric).cast(pl.Float64)).pivot(on="arm", index="query_id", values=metric)
    arms = wide.columns[1:]
    columns = [(arms.index(arm), arms.index(opponent)) for arm, opponent in pairs]
    return paired_differences(wide.drop("query_id").to_numpy(), columns, metric in SHARES, seed, resamples)
