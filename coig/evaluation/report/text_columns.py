"""The columns of the tables about copies, sameness and scores on other tasks."""

from __future__ import annotations

from functools import partial

from coig.display.numbers import interval, number, percent, thousandths
from coig.display.tables import Column, Row, text_column, value_column


def _value(row: Row) -> str:
    """Format a score's value; a share in per cent, without the % sign."""
    return percent(row["value"]) if row["is_share"] else number(row["value"])


def _error(row: Row) -> str:
    """Format a score's standard error, without a unit; in percentage points if the score is a share."""
    return percent(row["stderr"]) if row["is_share"] else number(row["stderr"])


MEMORISATION = (
    text_column("arm", "arm"),
    value_column("n", number, "answers"),
    value_column("copied %", percent, "copied"),
    value_column("95 %", interval, "copied_low", "copied_high"),
    value_column("with a span %", percent, "with_span"),
    value_column("longest, characters", number, "longest"),
    value_column("near copies", number, "near_copies"),
    value_column("creative texts %", percent, "creative"),
    value_column("95 % ", interval, "creative_low", "creative_high"),
    value_column("floor %", percent, "floor"),
    value_column("95 %  ", interval, "floor_low", "floor_high"),
)
WITHOUT_COPIES = (
    text_column("arm", "arm"),
    text_column("over", "opponent"),
    value_column("N", number, "verdicts"),
    value_column("win %", percent, "rate"),
    value_column("95 %", interval, "low", "high"),
    value_column("N without", number, "verdicts_without"),
    value_column("win % without", percent, "rate_without"),
    value_column("95 % without", interval, "low_without", "high_without"),
)
NEAR_PROMPTS = (
    text_column("query", "query"),
    text_column("training prompt", "prompt"),
    text_column("training id", "training_id"),
    text_column("arms", "arms"),
    value_column("similarity", thousandths, "similarity"),
)
SAMENESS = (
    text_column("texts of", "arm"),
    text_column("between", "between"),
    value_column("prompts", number, "prompts"),
    value_column("texts", number, "texts"),
    value_column("similarity", thousandths, "similarity"),
    value_column("95 %", partial(interval, form=thousandths), "similarity_low", "similarity_high"),
    value_column("distinct-2 of two", thousandths, "distinct_2"),
    value_column("95 % ", partial(interval, form=thousandths), "distinct_2_low", "distinct_2_high"),
)
RECURRING = (
    text_column("texts of", "arm"),
    value_column("n", number, "texts"),
    value_column("same opening %", percent, "same_opening"),
    text_column("openings", "openings"),
    value_column("same name %", percent, "same_name"),
    text_column("names", "names"),
)
SCORES = (
    text_column("arm", "arm"),
    text_column("task", "label"),
    Column("value", _value),
    Column("standard error", _error),
    value_column("n", number, "n"),
)
