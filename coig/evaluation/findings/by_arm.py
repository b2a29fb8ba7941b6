"""List what was measured of each arm in one long table, which `coig.results` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from coig.evaluation.measures.sameness import PEOPLE
from coig.evaluation.measures.tables import SHARES
from coig.study.results import MEASURES
from coig.study.roster import Roster

OF_ANSWERS = ("finished", "tokens", "characters", "contaminated", "contaminated_any")
MEAN = "_mean"  # ends the columns of measures of diversity


def measures_by_arm(tables: Mapping[str, pl.DataFrame], roster: Roster) -> pl.DataFrame:
    """Return a row for each arm, language and measure that has a value; columns as in MEASURES.

    Args:
        tables: the evaluation's tables by name; a missing table gives no rows.
    """
    rows = [*_of_answers(tables), *_of_texts(tables), *_of_verdicts(tables, roster), *_of_ratings(tables)]
    frame = pl.DataFrame([{key: row.get(key) for key in MEASURES} for row in rows], schema=MEASURES)
    return frame.drop_nulls("value")


def _rows(tables: Mapping[str, pl.DataFrame], name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; none if it is missing."""
    if name in tables:
        yield from tables[name].iter_rows(named=True)


def _of_answers(tables: Mapping[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield a row for each automatic measure of each arm and language; shares that have an interval keep it."""
    for row in _rows(tables, "automatic"):
        about = {"lang": row["lang"], "arm": row["arm"]}
        for column in (*OF_ANSWERS, *(column for column in row if column.endswith(MEAN))):
            name = column.removesuffix(MEAN)
            ends = {end: row.get(f"{column}_{end}") for end in ("low", "high")} if column in SHARES else {}
            yield (
                about | ends | {"measure": name, "value": row[column], "n": row.get(f"{name}_answers", row["queries"])}
            )


def _of_texts(tables: Mapping[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield for each arm and language a row for what was copied, then one for each similarity; no people's texts."""
    for row in _rows(tables, "memorisation"):
        ends = {"low": row["copied_low"], "high": row["copied_high"]}
        yield row | ends | {"measure": "copied", "value": row["copied"], "n": row["answers"]}
    for row in _rows(tables, "sameness"):
        if row["arm"] != PEOPLE:
            ends = {"low": row["similarity_low"], "high": row["similarity_high"]}
            about = {"measure": f"similarity: {row['between']}", "value": row["similarity"], "n": row["texts"]}
            yield row | ends | about


def _of_verdicts(tables: Mapping[str, pl.DataFrame], roster: Roster) -> Iterator[dict[str, Any]]:
    """Yield a row for each win rate over general data alone (all genres together), then one for each strength."""
    for row in _rows(tables, "win_rates"):
        if row["genre"] is None and row["opponent"] == roster.reference:
            yield row | {"measure": "win rate", "value": row["rate"], "n": row["verdicts"]}
    for row in _rows(tables, "strengths"):
        yield row | {"measure": "strength", "value": row["strength"]}


def _of_ratings(tables: Mapping[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield a row for the mean rating of each arm in each dimension and language."""
    for row in _rows(tables, "ratings"):
        yield row | {"measure": f"rating: {row['dimension']}", "value": row["mean"], "n": row["ratings"]}
