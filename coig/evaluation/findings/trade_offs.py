"""Say what more general data buys and costs: each measure's change from the smallest tested ratio to the largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from coig.display.numbers import interval, number, percent, signed
from coig.evaluation.findings.responses import PREFERENCE, Measure, Observed
from coig.evaluation.findings.scored import DIVERGENCE, SCORE
from coig.evaluation.findings.summary import Summary
from coig.statistics.intervals import ROUNDING
from coig.statistics.paired import newcombe_interval
from coig.text.language_codes import LANGUAGES

JUDGED_TOGETHER = (PREFERENCE, "finished", "contaminated", "copied", "sameness", DIVERGENCE)
TRADE_OFFS: dict[str, Any] = {
    **dict.fromkeys(("lang", "setting", "measure", "label"), pl.String),
    "is_share": pl.Boolean,
    **dict.fromkeys(("first_dose", "last_dose", "first", "last"), pl.Float64),
    **dict.fromkeys(("change", "low", "high"), pl.Float64),  # 95 %; for new raters too where there are several
    "finding": pl.String,  # buys, costs, not shown
}
BUYS, COSTS, NOT_SHOWN = "buys", "costs", "not shown"
SAID = {BUYS: "better", COSTS: "worse", NOT_SHOWN: "no change shown"}
IN_WORDS = {  # what a rise and a fall are
    PREFERENCE: ("a higher win rate over general data alone", "a lower win rate over general data alone"),
    "finished": ("more answers that end", "fewer answers that end"),
    "contaminated": ("more answers in the other language", "fewer answers in the other language"),
    "copied": ("more copied from training texts", "less copied from training texts"),
    "sameness": ("answers that are more alike", "answers that are less alike"),
    DIVERGENCE: ("a greater distance from the base model (KL)", "a smaller distance from the base model (KL)"),
}


def is_weighed(measure: str) -> bool:
    """Tell whether a measure, by its name, is one of those in which a ratio buys or costs something."""
    return measure in JUDGED_TOGETHER or measure.startswith(SCORE)


def weigh_change(observed: Observed, measure: Measure) -> dict[str, Any]:
    """Return a measure's change from the smallest tested dose to the largest, and whether it buys or costs something.

    It is a row of TRADE_OFFS without lang, setting and measure. The finding is NOT_SHOWN if the change's 95 % interval,
    for new raters too where there are several, contains 0. If shares of answers do not vary, as where all answers
    ended, their change has Newcombe's interval.
    """
    means = observed.means
    contrast = np.zeros((1, len(means.values)))
    contrast[0, [0, -1]] = -1, 1
    change = float((contrast @ means.values)[0])
    half = float(means.covariance.half_widths(contrast, new_raters=observed.raters > 1)[0])
    low, high = change - half, change + half
    if half < ROUNDING and measure.is_share:
        prompts = min(observed.prompts)
        low, high = newcombe_interval(float(means.values[-1]) * prompts, float(means.values[0]) * prompts, prompts)
    gain = change if measure.rises else -change
    finding = NOT_SHOWN if low <= 0 <= high else BUYS if gain > 0 else COSTS
    return {
        "label": measure.label,
        "is_share": measure.is_share,
        "first_dose": float(means.doses[0]),
        "last_dose": float(means.doses[-1]),
        "first": float(means.values[0]),
        "last": float(means.values[-1]),
        "change": change,
        "low": low,
        "high": high,
        "finding": finding,
    }


def trade_offs_in_words(trade_offs: pl.DataFrame) -> list[Summary]:
    """Return for each language and setting what more general data buys and costs, and a sentence for each measure.

    Args:
        trade_offs: columns as in TRADE_OFFS.
    """
    answers = []
    for lang in LANGUAGES:
        for (setting,), part in trade_offs.filter(lang=lang).group_by("setting", maintain_order=True):
            rows = part.to_dicts()
            where = f" ({setting})" if setting else ""
            first, last = (number(rows[0][name], 1).removesuffix(".0") for name in ("first_dose", "last_dose"))
            better, worse = (
                "; ".join(name_change(row) for row in rows if row["finding"] == finding) or "nothing shown"
                for finding in (BUYS, COSTS)
            )
            main = f"From R = {first} to {last}{where}, more general data buys: {better}. It costs: {worse}."
            answers.append(Summary(lang, main, tuple(map(_describe, rows))))
    return answers


def name_change(row: dict[str, Any]) -> str:
    """Return what rose or fell, such as "fewer answers that end"."""
    of_score = f"more in {row['label']}", f"less in {row['label']}"
    rise, fall = IN_WORDS.get(row["measure"], of_score)
    return rise if row["change"] > 0 else fall


def _describe(row: dict[str, Any]) -> str:
    """Return a sentence on one measure: its values at both ends, and the change with its interval."""
    form = percent if row["is_share"] else number
    unit = " %" if row["is_share"] else ""
    change = _in_points(row["change"]) + " points" if row["is_share"] else signed(row["change"])
    ends = interval(row["low"], row["high"], _in_points if row["is_share"] else signed)
    label = row["label"][0].upper() + row["label"][1:]
    return f"{label}: {form(row['first'])} → {form(row['last'])}{unit} ({change} {ends}), {SAID[row['finding']]}."


def _in_points(share: float | None) -> str:
    """Format a difference of shares in signed percentage points with one decimal; a dash for None."""
    return signed(None if share is None else 100 * share, 1)


def order_measures(measures: Sequence[str]) -> list[str]:
    """Return those of the measures that are weighed, in the order of JUDGED_TOGETHER, scores last."""
    place = {name: number for number, name in enumerate(JUDGED_TOGETHER)}
    return sorted(filter(is_weighed, measures), key=lambda name: place.get(name, len(place)))
