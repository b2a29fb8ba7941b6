"""Draw what was measured by the dose, the number of general examples per creative one: the report's first pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from coig.display.figures import CREATIVE, GENERAL, INK, SOFT, WIDTH, lay_out
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.findings.thresholds import dose_text, range_text
from coig.evaluation.findings.trade_offs import SAID, order_measures
from coig.evaluation.report.results import Evaluation
from coig.text.language_codes import LANGUAGES

LABEL, PANEL_LABEL = 36, 24  # characters of a line: of the y axis's label, of a panel's title
COLOURS = (CREATIVE, "#d55e00", "#009e73", "#cc79a7", "#0072b2", "#8a8580")  # of the settings
MARKERS = "os^v"  # of the settings: the first for as many as there are colours, then the next
BRACKET = 0.06  # of the plot's height, below the line of general data alone
ENTRY = 0.17  # inches; height of a legend's line
NEAREST = 0.07  # of the plot's width; labels of doses do not come nearer


Part = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]  # a measure's rows of THRESHOLDS, DOSES and DOSE_CURVES
Looks = Mapping[str, tuple[str, str]]  # the colour and the marker of each setting


def draw_dose_figures(evaluation: Evaluation) -> dict[str, Figure]:
    """Draw up to three figures for each language with doses; return the figures by name, such as `dose_zh`.

    `dose` has the first measure, the main one; `trade_offs` a panel for each measure that `is_weighed`, if there are
    several; `dose_measures` a panel for each measure that is in neither. A figure without measures is left out.
    """
    tables = [evaluation.table(name) for name in ("thresholds", "doses", "dose_curves")]
    found = evaluation.table("trade_offs")
    figures = {}
    for lang in LANGUAGES:
        part = [table.filter(lang=lang) for table in tables if table is not None]
        measures = part[0]["measure"].unique(maintain_order=True).to_list() if part else []
        weighed = order_measures(measures)
        others = [name for name in measures[1:] if name not in weighed]
        for name, shown in (("trade_offs", weighed), ("dose", measures[:1]), ("dose_measures", others)):
            if len(shown) > (name == "trade_offs"):  # a single measure is in the main figure
                parts = [_of_measure(part[0], part[1], part[2], measure) for measure in shown]
                findings = [_say_finding(found, lang, measure) for measure in shown] if name == "trade_offs" else None
                figures[f"{name}_{lang}"] = draw_panels(f"{name}_{lang}", LANGUAGE_NAMES[lang], parts, findings)
    return figures


def _of_measure(thresholds: pl.DataFrame, doses: pl.DataFrame, curves: pl.DataFrame, measure: str) -> Part:
    """Return the rows of one measure from each of the three tables."""
    return thresholds.filter(measure=measure), doses.filter(measure=measure), curves.filter(measure=measure)


def _say_finding(trade_offs: pl.DataFrame | None, lang: str, measure: str) -> str:
    """Return "better", "worse" or "no change shown"; "" unless the measure has exactly one setting in the language."""
    rows = [] if trade_offs is None else trade_offs.filter(lang=lang, measure=measure)["finding"].to_list()
    return SAID[rows[0]] if len(rows) == 1 else ""


def draw_panels(label: str, title: str, parts: Sequence[Part], findings: list[str] | None = None) -> Figure:
    """Draw a panel for each measure in a new figure: a single one fills it, several stand in two columns.

    If there are several settings, a legend below the panels names them.

    Args:
        label: of the figure, not shown. parts: one for each measure.
        findings: a word on each measure, for its panel's title; R₅₀ is then left out.
    """
    single = len(parts) == 1
    rows = (len(parts) + 1) // 2
    looks = _make_looks(parts)
    height = 3.3 if single else 0.6 + 1.9 * rows
    figure = Figure(figsize=(WIDTH, height), layout="constrained", label=label)
    plot = _draw_legend(figure, looks) if len(looks) > 1 else figure
    panels = plot.subplots(rows, 1 if single else 2, squeeze=False).flatten()
    for number, (axes, part) in enumerate(zip(panels, parts, strict=False)):
        _draw_measure(axes, *part, looks, with_text=single, finding=findings[number] if findings else None)
    for axes in panels[len(parts) :]:
        axes.set_axis_off()
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    plot.supxlabel("R, general examples per creative one", fontsize=9.5)
    lay_out(figure)
    return figure


def _make_looks(parts: Sequence[Part]) -> Looks:
    """Return the colour and the marker of each setting; in every panel a setting has the same."""
    settings = dict.fromkeys(setting for thresholds, _, _ in parts for setting in thresholds["setting"])
    return {
        setting: (COLOURS[place % len(COLOURS)], MARKERS[place // len(COLOURS) % len(MARKERS)])
        for place, setting in enumerate(settings)
    }


def _draw_legend(figure: Figure, looks: Looks) -> SubFigure:
    """Make a figure higher for a legend of the settings below it; return the part above the legend."""
    height, below = figure.get_figheight(), ENTRY * (len(looks) + 1)
    figure.set_figheight(height + below)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(height, below))
    plot: SubFigure = parts[0, 0]
    handles = [
        Line2D([], [], color=colour, marker=marker, linewidth=1.3, label=setting)
        for setting, (colour, marker) in looks.items()
    ]
    parts[1, 0].legend(handles=handles, loc="center", fontsize=8)
    return plot


def _draw_measure(
    axes: Any,
    thresholds: pl.DataFrame,
    doses: pl.DataFrame,
    curves: pl.DataFrame,
    looks: Looks,
    with_text: bool,
    finding: str | None,
) -> None:
    """Draw one measure: each setting's arms, interpolated response and average curve, and where R₅₀ lies.

    With a `finding`, it is in the title, and of R₅₀ only the level of general data alone is drawn.
    """
    factor = 100 if doses["is_share"][0] else 1
    for setting in thresholds["setting"]:
        colour, marker = looks[setting]
        curve, arms = curves.filter(setting=setting), doses.filter(setting=setting).drop_nulls("dose")
        places = _places(curve["dose"])
        low, high, value, average = (factor * _floats(curve[name]) for name in ("low", "high", "value", "average"))
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(places, value, color=colour, linewidth=1.3)
        axes.plot(places, average, color=colour, linewidth=1, linestyle=(0, (4, 3)))
        at = _places(arms["dose"])
        for ends, width, alpha in ((("low_raters", "high_raters"), 1, 1.0), (("low", "high"), 3, 0.6)):
            axes.vlines(at, *(factor * _floats(arms[end]) for end in ends), color=colour, linewidth=width, alpha=alpha)
        axes.plot(at, factor * arms["value"].to_numpy(), marker, color=colour, markeredgecolor="white", markersize=7)
    known = doses.drop_nulls("dose")["dose"].unique().sort().to_list()
    _label_doses(axes, known)
    unit = " (%)" if factor == 100 else ""
    if with_text:
        axes.set_ylabel(textwrap.fill(doses["label"][0] + unit, LABEL))
    else:
        said = f": {finding}" if finding else ""
        axes.set_title(textwrap.fill(doses["label"][0] + unit + said, PANEL_LABEL), fontsize=8.5, loc="left")
        axes.tick_params(labelsize=8)
    axes.grid(axis="y")
    for row in thresholds.iter_rows(named=True):
        colour = looks[row["setting"]][0] if len(looks) > 1 else INK
        if row["r50"] is not None:
            level = _draw_alone(axes, row, doses, factor)
            if finding is None:
                _draw_crossing(axes, row, level, colour, with_text and len(looks) == 1)


def _draw_alone(axes: Any, row: dict[str, Any], doses: pl.DataFrame, factor: int) -> float:
    """Draw the level of general data alone, one half if `doses` lacks it, as a line; return level × `factor`.

    Args:
        row: of THRESHOLDS. doses: rows of DOSES of its measure.
        factor: 100 for shares, which are drawn in per cent; else 1.
    """
    alone = doses.filter(pl.col("dose").is_null(), setting=row["setting"])["value"]
    level = factor * float(alone[0] if len(alone) else 0.5)
    axes.axhline(level, color=SOFT, linewidth=1, linestyle="--", zorder=1)
    return level


def _draw_crossing(axes: Any, row: dict[str, Any], level: float, colour: str, with_text: bool) -> None:
    """Draw R₅₀ with its interval on the level of general data alone, and below it the bracket of tested arms.

    Args:
        row: of THRESHOLDS. with_text: write the figures above the axes, too.
    """
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    ends = [
        min(right, float(np.log2(1 + row[name]))) for name in ("r50_low", "r50_high", "bracket_low", "bracket_high")
    ]
    axes.hlines(level, ends[0], ends[1], color=colour, linewidth=5, alpha=0.5, zorder=2)
    below = level - BRACKET * (top - bottom)
    axes.plot(ends[2:], [below, below], color=GENERAL, linewidth=1.2)
    for name, end in zip(("bracket_low", "bracket_high"), ends[2:], strict=True):
        axes.plot(end, below, ">" if np.isinf(row[name]) else "|", color=GENERAL, markersize=6, clip_on=False)
    if np.isfinite(row["r50"]):
        axes.plot([np.log2(1 + row["r50"])], [level], "D", color=colour, markersize=5, zorder=4)
    axes.set_xlim(left, right)
    if with_text:
        largest = row["largest_dose"]
        point, limits = dose_text(row["r50"], largest), range_text(row["r50_low"], row["r50_high"], largest)
        tested = range_text(row["bracket_low"], row["bracket_high"], largest)
        axes.set_title(f"R₅₀ {point} ({limits}), bracket {tested}", fontsize=8.5, loc="right", color=colour)


def _places(doses: pl.Series) -> NDArray[np.float64]:
    """Return the places of doses on the axis, log₂(1 + dose)."""
    places: NDArray[np.float64] = np.log2(1 + doses.to_numpy())
    return places


def _floats(column: pl.Series) -> NDArray[np.float64]:
    """Return a column's numbers; null becomes NaN."""
    return column.cast(pl.Float64).to_numpy()


def _label_doses(axes: Any, doses: list[float]) -> None:
    """Set the x axis' limits and ticks by the sorted doses, and label the ticks that leave room for each other."""
    places = np.log2(1 + np.array(doses))
    reach = 0.06 * max(places[-1] - places[0], 0.1)
    axes.set_xlim(places[0] - reach, places[-1] + reach)
    labels, last = [], -np.inf
    for place, dose in zip(places, doses, strict=True):
        free = place - last >= NEAREST * (places[-1] - places[0])
        labels.append(dose_text(dose, dose) if free else "")
        last = place if free else last
    axes.set_xticks(places, labels)
