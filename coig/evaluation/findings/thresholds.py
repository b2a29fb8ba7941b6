"""Say in words how a measure depends on the dose, and whether the paper's threshold of 1:12 is one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl
from scipy.special import chdtri

from coig.display.numbers import number, p_value
from coig.evaluation.findings.responses import PREFERENCE
from coig.evaluation.findings.rule import in_points
from coig.evaluation.findings.summary import Summary
from coig.statistics.dose_curves import LEVEL, SLOPE_LEAD, STEP_LEAD
from coig.text.language_codes import LANGUAGES

Threshold = Mapping[str, Any]  # a row of THRESHOLDS, by column
SYMBOLS = (
    "R₅₀: the ratio R at which the arms equal general data alone. Bracket: the tested arms between which it lies. "
    "R_min: from where the lower 95 % limit is beyond general data alone. R*: from where the arms are within the "
    "margin of the best. Deviance: χ² of the arms' distance from a curve."
)
ASSUMED = (
    "Between two tested arms the place is assumed to lie on a straight line over log₂(1 + R); nothing was measured "
    "there. The bracket needs no such assumption: it names tested arms only."
)
CLAIM = "1:12 is the threshold"


def doses_in_words(tables: Mapping[str, pl.DataFrame]) -> list[Summary]:
    """Describe each language that has any threshold or comparison of amount and ratio, Chinese queries first.

    The main text is the first measure's threshold, that of preference if judged. Further ones are shifts between files
    of queries, the other measures' thresholds, and whether amount or ratio matters.

    Args:
        tables: those of `doses.dose_tables`.
    """
    answers = []
    for lang in LANGUAGES:
        sentences = [describe_threshold(row) for row in tables["thresholds"].filter(lang=lang).iter_rows(named=True)]
        shifts = [_describe_shift(row) for row in tables["shifts"].filter(lang=lang).iter_rows(named=True)]
        sentences = [*sentences[:1], *shifts, *sentences[1:]]
        sentences += _describe_amounts(tables["amount_or_ratio"].filter(lang=lang))
        if sentences:
            answers.append(Summary(lang, sentences[0], tuple(sentences[1:])))
    return answers


def dose_text(dose: float | None, largest: float) -> str:
    """Format a dose as "6.0" or "12"; ∞ is "> 12", where 12 is the largest tested dose; None is "–"."""
    if dose is None:
        return "–"
    if math.isinf(dose):
        return f"> {dose_text(largest, largest)}"
    return "0" if dose == 0 else number(dose, 1).removesuffix(".0") if dose >= 10 else number(dose, 1)


def range_text(low: float | None, high: float | None, largest: float) -> str:
    """Format two doses as "2.3–7.9", as "2.3 to > 12" if the second is ∞, as one dose if both have the same text."""
    ends = dose_text(low, largest), dose_text(high, largest)
    if ends[0] == ends[1]:
        return ends[0]
    return (" to " if ends[1].startswith(">") else "–").join(ends)


def describe_threshold(row: Threshold) -> str:
    """Return a text on one measure: equality with general data alone, the best arm, trend, slope or step."""
    where = f" ({row['setting']})" if row["setting"] else ""
    parts = [_describe_equality(row)] if row["r50"] is not None else []
    if row["r_best"] is not None:
        largest = row["largest_dose"]
        near = dose_text(row["r_best"], largest)
        interval = range_text(row["r_best_low"], row["r_best_high"], largest)
        parts.append(f"Within {_margin(row)} of the best arm from R* = {near} on ({interval}).")
    parts.append(_describe_shape(row))
    return f"{row['label'][0].upper()}{row['label'][1:]}{where}: {' '.join(parts)}"


def _margin(row: Threshold) -> str:
    """Return a row's margin in words: in percentage points, or for ratings in points of their scale."""
    points = in_points(round(row["margin"], 6)) if not row["measure"].startswith("rating") else number(row["margin"], 2)
    return f"{points} points"


def _describe_equality(row: Threshold) -> str:
    """Return where the arms equal general data alone: R₅₀ with interval and bracket, and from where they are beyond."""
    largest = row["largest_dose"]
    interval = range_text(row["r50_low"], row["r50_high"], largest)
    tested = range_text(row["bracket_low"], row["bracket_high"], largest)
    point = dose_text(row["r50"], largest)
    at = f"R₅₀ {point}" if math.isinf(row["r50"]) else f"R₅₀ = {point}"
    text = f"the arms {row['equal']} as {row['reference']} at {at} (95 %: {interval}"
    if row["r50_low_raters"] is not None:
        text += f", for new raters too {range_text(row['r50_low_raters'], row['r50_high_raters'], largest)}"
    text += f"; bracket of tested arms {tested})."
    shown = row["r_min"] if row["r_min_raters"] is None else row["r_min_raters"]
    if math.isinf(shown):
        return text + f" That they pass {row['reference']} is shown for no tested R."
    return text + f" That they pass {row['reference']} is shown from R_min = {dose_text(shown, largest)} on."


def _describe_shape(row: Threshold) -> str:
    """Return the trend, and whether the response is a slope or a step, with the deviances that decide it.

    If the two cannot be told apart, or neither fits, the dose that would tell best follows. If no curve can be fitted,
    only this is said.
    """
    if row["shape"] is None:
        return "No curve can be fitted: some arms' results are fully determined by those of others."
    trend = f"Trend: p {p_value(row['trend_p'])}."
    if row["shape"] == "no dose effect shown":
        flat, limit = row["deviance_flat"], float(chdtri(row["arms"] - 1, LEVEL))
        return (
            f"{trend} Equal arms fit (deviance {number(flat, 1)}, limit {number(limit, 1)}): no dose effect is shown."
        )
    if row["arms"] < 4:
        return f"{trend} Slope or step cannot be told from fewer than four arms with creative data."
    step, slope = (number(row[f"deviance_{name}"], 1) for name in ("step", "slope"))
    limits = [number(float(chdtri(row["arms"] - lost, LEVEL)), 1) for lost in (2, 3)]
    figures = f"deviance of the best step {step} (limit {limits[0]}), of the best slope {slope} (limit {limits[1]})"
    verdict = {
        "slope": f"It is a slope ({row['best_slope']}), not a step",
        "step": "It is a step, not a slope",
        "neither": "It is neither a slope nor one step",
        "cannot be told": "Whether it is a slope or a step cannot be told",
    }[row["shape"]]
    leads = f"; a slope needs a lead of {SLOPE_LEAD:g}, a step one of {STEP_LEAD:g}"
    rule = leads if row["shape"] in ("cannot be told", "neither") else ""
    text = f"{trend} {verdict}: {figures}{rule}."
    if row["telling_dose"] is not None:
        text += f" An arm at R = {dose_text(row['telling_dose'], row['largest_dose'])} would tell best."
    return text


def _describe_shift(row: Mapping[str, Any]) -> str:
    """Return a row of SHIFTS as a sentence: files of queries, measure, the finding whether R₅₀ moves, and p."""
    where = f" ({row['setting']})" if row["setting"] else ""
    return f"Queries {row['queries']}, R₅₀ of {row['measure']}{where}: {row['finding']} (p {p_value(row['p'])})."


def _describe_amounts(amounts: pl.DataFrame) -> list[str]:
    """Return a sentence per setting and measure: which predictors alone are rejected, or that no effect is shown.

    `amounts` has the rows of AMOUNT_OR_RATIO of one language.
    """
    sentences = []
    for (setting, measure), part in amounts.group_by("setting", "measure", maintain_order=True):
        about = f"Amount or ratio, {measure}" + (f" ({setting})" if setting else "")
        rows = {row["model"]: row for row in part.iter_rows(named=True)}
        if rows["no effect"]["finding"] == "not rejected":
            sentences.append(f"{about}: no effect of general data is shown.")
            continue
        single = [name for name, row in rows.items() if row["parameters"] == 1]
        listed = ", ".join(f"{name} alone {rows[name]['finding']} (p {p_value(rows[name]['p'])})" for name in single)
        sentences.append(f"{about}: {listed}.")
    return sentences


def threshold_claims(thresholds: pl.DataFrame, doses: pl.DataFrame, arm: str | None) -> list[dict[str, Any]]:
    """Check the claim that 1:12 is the threshold, for each language; return rows of CLAIMS.

    It is *not supported* if the bracket excludes the arm's dose; if the response is a slope, so that places between the
    arms can be trusted, also if the interval of R₅₀ excludes it. It is *supported* if the arm beats general data alone
    and the arm with the next smaller dose loses to it. Otherwise it is *inconclusive*. A language without verdicts on
    that arm, or with fewer than three ratios, is *not measured*. Judges' verdicts do not count.

    Args:
        arm: the arm whose ratio is 1:12; None if the study has none.
    """
    claims = []
    for lang in LANGUAGES:
        stated = {"lang": lang, "claim": CLAIM}
        tested = doses.filter(pl.col("arm") == pl.lit(arm, pl.String), measure=PREFERENCE)  # no claim rests on judges
        settings = tested.filter(lang=lang).select("measure", "setting", "dose").rows()
        if not settings:
            claims.append(stated | {"status": "not measured", "why": "needs verdicts on arms of at least three ratios"})
            continue
        measure, setting, dose = settings[0]
        [row] = thresholds.filter(lang=lang, measure=measure, setting=setting).to_dicts()
        smaller = doses.filter(lang=lang, measure=measure, setting=setting).filter(pl.col("dose") < dose)["dose"].max()
        claims.append(stated | _check(row, dose, float(smaller) if isinstance(smaller, float) else 0.0))
    return claims


def _check(row: Threshold, dose: float, smaller: float) -> dict[str, Any]:
    """Return the columns `status`, `effect` and `why` of CLAIMS, from the row of THRESHOLDS for preference.

    `dose` is that of the arm at 1:12, `smaller` the next smaller tested one, 0 if there is none.
    """
    suffix = "" if row["r50_low_raters"] is None else "_raters"
    low, high, under, over = (row[f"{name}{suffix}"] for name in ("r50_low", "r50_high", "bracket_low", "bracket_high"))
    largest = row["largest_dose"]
    point, interval = dose_text(row["r50"], largest), range_text(low, high, largest)
    effect = f"R₅₀ {point} ({interval}), bracket {range_text(under, over, largest)}"
    if over < dose or under >= dose:
        return {"status": "not supported", "effect": effect, "why": "the tested arms exclude it"}
    if not low <= dose <= high and row["shape"] == "slope":
        why = "the response is a slope, and the interval of where it equals general data alone excludes 1:12"
        return {"status": "not supported", "effect": effect, "why": why}
    loses_before = under >= smaller if smaller else low > 0  # a bracket from 0 does not say whether the arm at 0 loses
    if loses_before and over <= dose:
        why = "the arm at 1:12 beats general data alone, and the one before it loses"
        return {"status": "supported", "effect": effect, "why": why}
    why = "the tested arms leave room for a threshold at 1:12 and for others"
    return {"status": "inconclusive", "effect": effect, "why": why}
