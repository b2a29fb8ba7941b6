"""The columns of the tables about ratios, noise, orders and the registered plan."""

from __future__ import annotations

from coig.display.numbers import (
    NONE,
    interval,
    number,
    p_value,
    percent,
    signed_hundredths,
    signed_interval,
    ten_thousandths,
    tenths,
    thousandths,
)
from coig.display.tables import Column, Row, text_column, value_column
from coig.evaluation.findings.thresholds import dose_text, range_text


def _dose_column(heading: str, field: str) -> Column:
    """Return a column that shows the dose in `field`: "> 12" if it is ∞ and 12 the largest tested one, a dash for None.

    The rows need the field `largest_dose`.
    """
    return Column(heading, lambda row: dose_text(row[field], row["largest_dose"]))


def _range_column(heading: str, low: str, high: str) -> Column:
    """Return a column that shows the doses in the fields `low` and `high` as a range; a dash if they are unknown."""
    return Column(heading, lambda row: _dose_range(row, low, high))


def _dose_range(row: Row, low: str, high: str) -> str:
    """Format two doses of a row as a range; a dash if they are unknown."""
    return NONE if row[low] is None else range_text(row[low], row[high], row["largest_dose"])


def _of_measure(row: Row, low: str, high: str) -> str:
    """Format the interval in a row's columns `low` and `high`: a share's in per cent, no sign; a dash if unknown."""
    return interval(row[low], row[high], percent if row["is_share"] else number)


def _beyond(value: float | None) -> str:
    """Format a number with one decimal, infinity as "∞", None and NaN as a dash."""
    return "∞" if value == float("inf") else tenths(value)


def _noise(row: Row) -> str:
    """Format the error of an arm's mean that a source of noise causes, as "1.5 points" if the measure is a share."""
    return f"{percent(row['error'])} points" if row["is_share"] else number(row["error"])


REGISTERED = (
    text_column("hypothesis", "hypothesis"),
    text_column("says", "says"),
    text_column("measure", "measure"),
    text_column("estimand", "estimand"),
    text_column("predicts", "predicts"),
    text_column("found", "found"),
    value_column("p (Holm)", p_value, "p_holm"),
    text_column("result", "result"),
)
THRESHOLDS = (
    text_column("measure", "measure"),
    text_column("setting", "setting"),
    value_column("arms", number, "arms"),
    _dose_column("R₅₀", "r50"),
    _range_column("95 %", "r50_low", "r50_high"),
    _range_column("bracket", "bracket_low", "bracket_high"),
    _range_column("95 %, new raters", "r50_low_raters", "r50_high_raters"),
    _range_column("bracket, new raters", "bracket_low_raters", "bracket_high_raters"),
    _dose_column("R_min", "r_min"),
    _dose_column("R*", "r_best"),
    _range_column("R*, 95 %", "r_best_low", "r_best_high"),
    value_column("trend, p", p_value, "trend_p"),
    text_column("slope or step", "shape"),
)
DOSES = (
    text_column("measure", "measure"),
    text_column("setting", "setting"),
    text_column("arm", "arm"),
    Column("R", lambda row: dose_text(row["dose"], 0)),
    value_column("prompts", number, "prompts"),
    Column("value", lambda row: percent(row["value"]) if row["is_share"] else number(row["value"])),
    Column("95 %", lambda row: _of_measure(row, "low", "high")),
    Column("95 %, new raters", lambda row: _of_measure(row, "low_raters", "high_raters")),
)
DOSE_FITS = (
    text_column("measure", "measure"),
    text_column("setting", "setting"),
    text_column("curve", "curve"),
    value_column("parameters", number, "parameters"),
    value_column("deviance", tenths, "deviance"),
    value_column("weight %", percent, "weight"),
    value_column("R₅₀", _beyond, "r50"),
    value_column("95 %", lambda low, high: interval(low, high, _beyond), "r50_low", "r50_high"),
)
SHIFTS = (
    text_column("measure", "measure"),
    text_column("setting", "setting"),
    text_column("queries", "queries"),
    value_column("p of one R₅₀", p_value, "p"),
    text_column("finding", "finding"),
)
ORDERS = (
    text_column("measure", "measure"),
    text_column("across", "across"),
    value_column("ratios", number, "ratios"),
    value_column("comparisons", number, "comparisons"),
    value_column("τ", signed_hundredths, "tau"),
    value_column("τ, 95 % over prompts", signed_interval, "low", "high"),
    text_column("order of the ratios", "finding"),
)
LOOK_AHEAD = (
    text_column("measure", "measure"),
    value_column("arms", number, "arms"),
    value_column("prompts", number, "prompts"),
    Column("pairs in the same order", lambda row: f"{row['alike']} of {row['pairs']}"),
    value_column("τ", signed_hundredths, "tau"),
    value_column("τ, 95 % over prompts", signed_interval, "low", "high"),
    value_column("p over arms", p_value, "p"),
    text_column("held-out loss", "finding"),
)
NOISE = (
    text_column("measure", "measure"),
    text_column("source", "source"),
    value_column("in an arm", tenths, "levels"),
    value_column("variance", ten_thousandths, "variance"),
    value_column("share %", percent, "share"),
    Column("error of an arm's mean", _noise),
)
AMOUNT_OR_RATIO = (
    text_column("setting", "setting"),
    text_column("measure", "measure"),
    text_column("model", "model"),
    value_column("arms", number, "arms"),
    value_column("parameters", number, "parameters"),
    value_column("deviance", tenths, "deviance"),
    value_column("p against all", p_value, "p"),
    text_column("finding", "finding"),
)
POINTS = (
    text_column("arm", "arm"),
    value_column("share", "{:g}".format, "share"),
    value_column("steps", number, "steps"),
    value_column("learned", number, "learned"),
    value_column("n", number, "queries"),
    value_column("ended %", percent, "finished"),
    value_column("tokens", tenths, "tokens"),
    value_column("chars", tenths, "characters"),
    value_column("TTR", thousandths, "ttr_mean"),
    value_column("MATTR", thousandths, "mattr_mean"),
    value_column("foreign %", percent, "contaminated"),
    value_column("95 %", interval, "contaminated_low", "contaminated_high"),
)
POINT_RATES = (
    text_column("arm", "arm"),
    value_column("share", "{:g}".format, "share"),
    text_column("over", "opponent"),
    text_column("raters", "raters"),
    value_column("N", number, "verdicts"),
    value_column("prompts", number, "prompts"),
    value_column("win %", percent, "rate"),
    value_column("95 %", interval, "low", "high"),
)
