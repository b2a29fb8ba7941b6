"""Tables of the automatic measures, a row per arm and language."""

from __future__ import annotations

import polars as pl

from coig.evaluation.intervals import wilson_interval

OTHER = {"zh": "en", "en": "zh"}


def automatic_table(answers: pl.DataFrame) -> pl.DataFrame:
    """Lengths, TTR, contamination and the share of finished answers per (lang, arm), in the arms' order.

    `contaminated`: share of answers in the other language; `contaminated_any`: those that mix both count too. Rates
    are over all queries, with 95 % Wilson intervals; lengths are means over all answers, TTR over those with words.
    """
    foreign = pl.col("language") == pl.col("lang").replace_strict(OTHER)
    table = (
        answers.group_by("lang", "arm", maintain_order=True)
        .agg(
            queries=pl.len(),
            empty=(pl.col("characters") == 0).sum(),
            finished=pl.col("finished").mean(),
            tokens=pl.col("tokens").mean(),
            characters=pl.col("characters").mean(),
            ttr_mean=pl.col("ttr").mean(),
            ttr_median=pl.col("ttr").median(),
            foreign=foreign.sum(),
            mixed=(pl.col("language") == "mixed").sum(),
        )
        .with_columns(
            contaminated=pl.col("foreign") / pl.col("queries"),
            contaminated_any=(pl.col("foreign") + pl.col("mixed")) / pl.col("queries"),
        )
    )
    intervals = [wilson_interval(row["foreign"], row["queries"]) for row in table.iter_rows(named=True)]
    return table.with_columns(
        contaminated_low=pl.Series([low for low, _ in intervals], dtype=pl.Float64),
        contaminated_high=pl.Series([high for _, high in intervals], dtype=pl.Float64),
    )


COLUMNS = {
    "arm": "arm",
    "queries": "n",
    "finished": "ended %",
    "tokens": "tokens",
    "characters": "chars",
    "ttr_mean": "TTR",
    "ttr_median": "median",
    "contaminated": "foreign %",
    "contaminated_any": "any %",
    "empty": "empty",
}


def readable(row: dict[str, object]) -> list[str]:
    """A table's row as people read it: per cents with one decimal, ratios with three."""
    return [_cell(name, row[name]) for name in COLUMNS]


def _cell(name: str, value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float) and name in {"finished", "contaminated", "contaminated_any"}:
        return f"{100 * value:.1f}"
    if isinstance(value, float):
        return f"{value:.3f}" if name.startswith("ttr") else f"{value:,.1f}"
    return str(value)
