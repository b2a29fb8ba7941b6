"""Describe how each measure depends on the dose: curves, where the arms equal general data alone, a slope or a step.

The statistics are in `coig.statistics.crossing` and `coig.statistics.dose_curves`; docs/ratios.md explains them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.amounts import AMOUNT_OR_RATIO, amount_rows
from coig.evaluation.findings.cells import Cell
from coig.evaluation.findings.responses import Measure, Observed, estimate, observations
from coig.evaluation.findings.scored import observe_scores
from coig.evaluation.findings.series import FEWEST_DOSES, Series, find_series
from coig.evaluation.findings.shifts import SHIFTS, Key, shift_rows, split_by_file
from coig.evaluation.findings.trade_offs import TRADE_OFFS, is_weighed, weigh_change
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.crossing import Crossing, find_crossing, place_weights
from coig.statistics.dose_curves import (
    KINDS,
    PARAMETERS,
    SMOOTH,
    Curve,
    best_smooth,
    curve_crossing,
    fit_curves,
    fit_monotone,
    predict,
    tell_slope_from_step,
    trend_p,
    weigh_curves,
)
from coig.statistics.intervals import Floats
from coig.statistics.responses import Responses
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES

MONOTONE, AVERAGE = "monotone", "average"
ABOUT = dict.fromkeys(("lang", "setting", "measure"), pl.String)
DOSES: dict[str, Any] = {
    **ABOUT,
    **dict.fromkeys(("label", "arm"), pl.String),
    "is_share": pl.Boolean,
    "dose": pl.Float64,  # general examples per creative one; null for general data alone
    "prompts": pl.Int64,
    **dict.fromkeys(("value", "low", "high", "low_raters", "high_raters"), pl.Float64),
}
DOSE_CURVES: dict[str, Any] = {
    **ABOUT,
    **dict.fromkeys(("dose", "value", "low", "high", "average"), pl.Float64),
}
DOSE_FITS: dict[str, Any] = {
    **ABOUT,
    "curve": pl.String,
    "parameters": pl.Int64,
    **dict.fromkeys(("deviance", "weight", "r50", "r50_low", "r50_high"), pl.Float64),
}
THRESHOLDS: dict[str, Any] = {
    **ABOUT,
    **dict.fromkeys(("label", "equal", "reference"), pl.String),
    "arms": pl.Int64,
    **dict.fromkeys(("largest_dose", "r50", "r50_low", "r50_high", "r50_low_raters", "r50_high_raters"), pl.Float64),
    **dict.fromkeys(("bracket_low", "bracket_high", "bracket_low_raters", "bracket_high_raters"), pl.Float64),
    **dict.fromkeys(("r_min", "r_min_raters", "margin", "r_best", "r_best_low", "r_best_high"), pl.Float64),
    **dict.fromkeys(("trend_p", "deviance_flat", "deviance_step", "deviance_slope"), pl.Float64),
    **dict.fromkeys(("best_slope", "shape"), pl.String),
    "telling_dose": pl.Float64,  # where the best step and the best slope differ most
}
TABLES = {
    "doses": DOSES,
    "dose_curves": DOSE_CURVES,
    "dose_fits": DOSE_FITS,
    "thresholds": THRESHOLDS,
    "shifts": SHIFTS,
    "amount_or_ratio": AMOUNT_OR_RATIO,
    "trade_offs": TRADE_OFFS,
}
NOT_NEAR = 0.75  # a further arm is proposed where no tested arm has more than this part in the interpolated response
EVERY = 4  # of the places between arms, one in so many is a row of the curves


def dose_tables(
    cells: Sequence[Cell],
    arms: Sequence[Arm],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
    scores: pl.DataFrame | None = None,
) -> dict[str, pl.DataFrame]:
    """Return the tables of TABLES by name: rows for each language, series, file of queries and measure.

    A dose of ∞ stands for "beyond the largest dose", and 0 for "reached at the smallest one already".

    Args:
        answers: the frame of `measure_answers`; None without answers.
        margin: the smallest advantage in win rate that matters, as a share.
        scores: columns as in SCORES; None without any.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    crossings: dict[Key, dict[str, Responses]] = {}

    def add(about: dict[str, Any], observed: Observed, measure: Measure, series: Series) -> None:
        """Add the rows of one measure to those of each table, with the columns `about` before them."""
        for name, block in make_rows(observed, measure, series):
            rows[name] += [about | row for row in block]

    for series in find_series(cells, arms):
        for file, part, judged in split_by_file(answers, judgments):
            setting = ", ".join(filter(None, (series.setting, f"queries {file}" if file else "")))
            for lang, measure, observed in _observe(series, part, judged, margin):
                add({"lang": lang, "setting": setting, "measure": measure.name}, observed, measure, series)
                if observed.differences is not None:
                    key = lang, series.setting, measure.name
                    crossings.setdefault(key, {})[file] = observed.make_rising(measure)
        for lang, measure, observed in observe_scores(scores, series) if scores is not None else ():
            if len(set(observed.levels.doses)) >= FEWEST_DOSES:
                add({"lang": lang, "setting": series.setting, "measure": measure.name}, observed, measure, series)
    rows["shifts"] = list(shift_rows(crossings))
    rows["amount_or_ratio"] = list(amount_rows(cells, arms, answers, judgments, margin))
    return {name: make_table(name, block) for name, block in rows.items()}


def _observe(
    series: Series, answers: pl.DataFrame | None, judgments: Judgments | None, margin: float
) -> Iterator[tuple[str, Measure, Observed]]:
    """Yield (language, measure, its responses) for each measure and language with at least FEWEST_DOSES doses."""
    for measure, part in observations(series.cells, series.reference, answers, judgments, margin):
        for lang in LANGUAGES:
            observed = estimate(part.filter(lang=lang), measure, series.doses, series.reference)
            if observed is not None and len(set(observed.levels.doses)) >= FEWEST_DOSES:
                yield lang, measure, observed


def make_table(name: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as the table `name` of TABLES, Chinese first; missing keys and NaN become null."""
    schema, ordered = TABLES[name], sorted(rows, key=lambda row: LANGUAGES.index(row["lang"]))
    frame = pl.DataFrame([{key: row.get(key) for key in schema} for row in ordered], schema=schema)
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def make_rows(observed: Observed, measure: Measure, series: Series) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (name of a table of TABLES, its rows) for one measure of one series in one language.

    The rows lack the columns `lang`, `setting` and `measure`. If no curve can be fitted, there are no rows of DOSE_FITS
    and the row of THRESHOLDS has no trend and no shape. Only a measure that `is_weighed` has a row of TRADE_OFFS.
    """
    yield "doses", list(_arm_rows(observed, measure, series))
    fitted = fit_with_weights(observed.levels)
    yield "dose_curves", _curve_rows(observed.levels, fitted, measure)
    found = {
        "label": measure.label,
        "equal": measure.equal,
        "reference": series.reference,
        "arms": len(observed.arms),
        "largest_dose": float(observed.levels.doses[-1]),
    }
    found |= _equality(observed, measure) | _nearness(observed, measure)
    if fitted is not None:
        yield "dose_fits", list(_fit_rows(observed, fitted, measure))
        found |= _shape(observed.levels, fitted)
    yield "thresholds", [found]
    if is_weighed(measure.name):
        yield "trade_offs", [weigh_change(observed, measure)]


@dataclass(frozen=True)
class Fitted:
    """The curves fitted to one series by name, and their Akaike weights by name.

    `monotone` has the arms' monotone levels, (K,), their deviance and the number of distinct levels; None if there are
    too many arms to fit them.
    """

    curves: dict[str, Curve]
    weights: dict[str, float]
    monotone: tuple[Floats, float, int] | None

    def average(self, doses: Floats, arms: Floats) -> Floats:
        """Return the mean of the curves' responses at `doses`, (D,), by their Akaike weights.

        Monotone levels are interpolated on log₂(1 + dose). `arms`, (K,), are the doses that were tested.
        """
        total = np.zeros(len(doses))
        for name, weight in self.weights.items():
            if name != MONOTONE:
                total += weight * predict(self.curves[name], doses, arms)
            elif self.monotone is not None:
                total += weight * np.interp(np.log2(1 + doses), np.log2(1 + arms), self.monotone[0])
        return total


def fit_with_weights(levels: Responses) -> Fitted | None:
    """Fit all curves and compute their Akaike weights; return None if `levels` are not regular.

    Levels are not regular if one arm's response follows exactly from other arms', such as when their answers are equal.
    """
    if not levels.is_regular:
        return None
    curves, monotone = fit_curves(levels), fit_monotone(levels)
    deviances = {name: float(curve.deviance) for name, curve in curves.items()}
    parameters = dict(PARAMETERS)
    if monotone is not None:
        deviances[MONOTONE], parameters[MONOTONE] = monotone[1], monotone[2]
    return Fitted(curves, weigh_curves(deviances, parameters), monotone)


def _arm_rows(observed: Observed, measure: Measure, series: Series) -> Iterator[dict[str, Any]]:
    """Yield a row of DOSES for each arm with creative data, then one for general data alone if its mean is known.

    With one rater, the limits for new raters are NaN.
    """
    levels, shared = observed.levels, {"label": measure.label, "is_share": measure.is_share}
    halves = levels.half_widths()
    wide = levels.half_widths(new_raters=True) if observed.raters > 1 else np.full(len(halves), np.nan)
    for index, arm in enumerate(observed.arms):
        level = levels.values[index]
        yield shared | {
            "arm": arm,
            "dose": float(levels.doses[index]),
            "prompts": observed.prompts[index],
            "value": float(observed.means.values[index]),
            "low": _to_measured_scale(level - halves[index], measure),
            "high": _to_measured_scale(level + halves[index], measure),
            "low_raters": _to_measured_scale(level - wide[index], measure),
            "high_raters": _to_measured_scale(level + wide[index], measure),
        }
    if observed.reference is not None:
        yield shared | {"arm": series.reference, "value": observed.reference}


def _to_measured_scale(level: float, measure: Measure) -> float:
    """Convert a level back to the scale of the measure: a logit to its share (0–1), any other level to itself."""
    return float(1 / (1 + np.exp(-level))) if measure.is_share else float(level)


def _curve_rows(levels: Responses, fitted: Fitted | None, measure: Measure) -> list[dict[str, Any]]:
    """Return rows of DOSE_CURVES: the interpolated response with its 95 % band, and the average of the curves.

    There is a row for every EVERY-th place between the arms. Without fitted curves the average is NaN.
    """
    weights, places = place_weights(levels.doses)
    weights, doses = weights[::EVERY], 2 ** places[::EVERY] - 1
    values, halves = weights @ levels.values, levels.covariance.half_widths(weights)
    average = fitted.average(doses, levels.doses) if fitted else np.full(len(doses), np.nan)
    shown = zip(values, values - halves, values + halves, average, strict=True)
    return [
        {"dose": float(dose)}
        | dict(
            zip(("value", "low", "high", "average"), (_to_measured_scale(v, measure) for v in of_place), strict=True)
        )
        for dose, of_place in zip(doses, shown, strict=True)
    ]


def _equality(observed: Observed, measure: Measure) -> dict[str, Any]:
    """Return the columns of THRESHOLDS on where the arms equal general data alone; {} if that was not measured."""
    if observed.differences is None:
        return {}
    rising = observed.make_rising(measure)
    these = find_crossing(rising)
    found = {"r50": these.point, **_ends(these, ""), "r_min": these.shown}
    if observed.raters > 1:
        new = find_crossing(rising, new_raters=True)
        found |= {**_ends(new, "_raters"), "r_min_raters": new.shown}
    return {name: float(value) for name, value in found.items()}


def _ends(crossing: Crossing, suffix: str) -> dict[str, Any]:
    """Return a crossing's interval and bracket as columns of THRESHOLDS, whose names end in `suffix`."""
    return {
        f"r50_low{suffix}": crossing.low,
        f"r50_high{suffix}": crossing.high,
        f"bracket_low{suffix}": crossing.bracket_low,
        f"bracket_high{suffix}": crossing.bracket_high,
    }


def _nearness(observed: Observed, measure: Measure) -> dict[str, Any]:
    """Return the columns of THRESHOLDS on the smallest dose within the margin of the best arm.

    The dose and its limits are 0 if the arm with the smallest dose is the best. The result is {} if the measure has no
    margin. The interval takes the best arm as given, although another arm may truly be the best.
    """
    if measure.margin is None:
        return {}
    means = observed.means if measure.rises else observed.means.mirror()
    best = int(means.values.argmax())
    if best == 0:
        return {"margin": measure.margin} | dict.fromkeys(("r_best", "r_best_low", "r_best_high"), 0.0)
    near = find_crossing(means.of_first(best + 1).within(best, measure.margin))
    found = {"r_best": near.point, "r_best_low": near.low, "r_best_high": near.high}
    return {"margin": measure.margin} | {name: float(value) for name, value in found.items()}


def _fit_rows(observed: Observed, fitted: Fitted, measure: Measure) -> Iterator[dict[str, Any]]:
    """Yield a row of DOSE_FITS for each curve, one for the monotone levels if there are any, and one for the average.

    R₅₀ is given for preference only, where general data alone has a response of exactly one half.
    """
    at_half = observed.differences is observed.levels
    for name, curve in fitted.curves.items():
        crossing = curve_crossing(curve, observed.levels.covariance.prompts - 1) if at_half else None
        ends = dict(zip(("r50", "r50_low", "r50_high"), crossing or (), strict=False))
        figures = {"parameters": curve.parameters, "deviance": float(curve.deviance), "weight": fitted.weights[name]}
        yield {"curve": name} | figures | ends
    if fitted.monotone is not None:
        _, deviance, levels = fitted.monotone
        yield {
            "curve": MONOTONE,
            "parameters": levels,
            "deviance": deviance,
            "weight": fitted.weights[MONOTONE],
        }
    yield {"curve": AVERAGE, "weight": 1.0, "r50": _average_crossing(observed.levels, fitted) if at_half else None}


def _average_crossing(levels: Responses, fitted: Fitted) -> float:
    """Return the smallest dose at which the average of the curves is zero or more, up to the largest tested; else ∞.

    The levels must be logits, so that zero is a win rate of one half.
    """
    doses = np.linspace(0, levels.doses[-1], 2_001)
    reached = np.flatnonzero(fitted.average(doses, levels.doses) >= 0)
    return float(doses[reached[0]]) if len(reached) else np.inf


def _shape(levels: Responses, fitted: Fitted) -> dict[str, Any]:
    """Return the columns of THRESHOLDS on trend, slope and step.

    If slope and step cannot be told apart, or neither fits, `telling_dose` is a dose not tested at which they differ
    most.
    """
    curves = fitted.curves
    slope = min((curves[name] for name in SMOOTH), key=lambda curve: float(curve.deviance))
    kind = KINDS[int(tell_slope_from_step(curves, len(levels.doses)))]
    found = {
        "trend_p": trend_p(levels),
        "deviance_flat": float(curves["flat"].deviance),
        "deviance_step": float(curves["one step"].deviance),
        "deviance_slope": float(best_smooth(curves)),
        "best_slope": slope.name,
        "shape": kind,
    }
    if kind in ("cannot be told", "neither"):
        weights, places = place_weights(levels.doses)
        doses = 2 ** places[weights.max(axis=1) <= NOT_NEAR] - 1
        apart = np.abs(predict(slope, doses, levels.doses) - predict(curves["one step"], doses, levels.doses))
        found["telling_dose"] = float(doses[apart.argmax()])
    return found
