"""Draw the figures of the report.

There is one figure per language, so that a screen shows two side by side and a phone one below the other.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from coig.display.figures import (
    CREATIVE,
    GENERAL,
    GRID,
    HEIGHT,
    INK,
    SOFT,
    WIDTH,
    column_axes,
    figure_style,
    is_dark,
    label_columns,
    lay_out,
    row_axes,
    warn_of_missing_font,
    width_beside,
)
from coig.display.numbers import LANGUAGE_NAMES, percent
from coig.evaluation.report.dose_figures import draw_dose_figures
from coig.evaluation.report.results import (
    Evaluation,
    all_genres,
    each_pair_once,
    split_by_language,
    strongest_by_genre,
)
from coig.study.roster import Roster

RATES = mpl.colormaps["PuOr"]  # colour-blind readers can tell its two ends apart
PANEL = 20  # characters of a line of a panel's title
SPREAD = Normalize(0.15, 0.85)  # one scale for every study
# colours of Okabe and Ito (2008), which colour-blind readers tell apart; dashes for print without colour
BEHAVIOURS = {
    "normal writing": ("#0072b2", "-"),
    "deep reasoning": ("#d55e00", "--"),
    "self-exploration": ("#009e73", "-."),
    "self-reflection": ("#cc79a7", ":"),
}


def draw_figures(evaluation: Evaluation) -> dict[str, Figure]:
    """Draw every figure whose table has rows; return the figures by file stem, such as `win_rates_zh`.

    Log a warning if they hold Chinese text and no Chinese font is installed.
    """
    with figure_style():
        figures = draw_dose_figures(evaluation)
        for name, (source, draw) in FIGURES.items():
            frame = evaluation.table(source)
            for lang, part in [] if frame is None else split_by_language(frame):
                figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained", label=f"{name}_{lang}")
                draw(figure, part, evaluation.roster)
                if figure.axes:
                    figure.suptitle(LANGUAGE_NAMES[lang], x=0.02, ha="left", fontsize=11)
                    lay_out(figure)
                    figures[f"{name}_{lang}"] = figure
    warn_of_missing_font(figures.values())
    return figures


def _draw_matrix(figure: Figure, part: pl.DataFrame, roster: Roster) -> None:
    """Draw a matrix of the win rates of the row's arm over the column's, with intervals; 50 % is white.

    The figure's size follows the number of arms. Nothing is drawn without win rates over all genres.
    """
    overall = all_genres(part)
    arms = _arms_in(overall, roster)
    if not arms:
        return
    axes = figure.subplots()
    rates = np.full((len(arms), len(arms)), np.nan)
    for row in overall.iter_rows(named=True):
        y, x = arms.index(row["arm"]), arms.index(row["opponent"])
        rates[y, x] = row["rate"]
        ink = "white" if is_dark(RATES(SPREAD(row["rate"]))) else INK
        axes.text(x, y - 0.1, percent(row["rate"]), ha="center", va="center", color=ink)
        if row["low"] is not None:
            ends = f"{100 * row['low']:.0f}–{100 * row['high']:.0f}"
            axes.text(x, y + 0.24, ends, ha="center", va="center", color=ink, fontsize=7.5)
    centres = np.arange(len(arms))
    axes.pcolormesh(centres, centres, np.ma.masked_invalid(rates), cmap=RATES, norm=SPREAD, ec="white")
    axes.set(ylim=(len(arms) - 0.5, -0.5), ylabel="win rate of", xlabel="over", aspect="equal")
    label_columns(figure, axes, arms)
    side = max(width_beside(arms), 0.78 * len(arms))
    figure.set_size_inches(side, 0.85 * side)
    axes.set_yticks(centres, arms)
    axes.tick_params(length=0, labelsize=8.5)
    axes.spines[:].set_visible(False)


def _draw_strengths(figure: Figure, part: pl.DataFrame, roster: Roster) -> None:
    """Draw the strength of each arm with its interval and rank, the strongest on top."""
    rows = part.sort("rank", pl.col("arm").replace_strict(_places(roster), default=len(roster.names)))
    axes = row_axes(figure, rows["arm"].to_list(), 0.42)
    places = np.arange(len(rows))
    colours = [_colour(arm, roster) for arm in rows["arm"]]
    axes.hlines(places, rows["low"].to_numpy(), rows["high"].to_numpy(), color=colours, linewidth=3, alpha=0.55)
    axes.scatter(rows["strength"].to_numpy(), places, s=52, color=colours, edgecolor="white", zorder=3)
    for place, row in enumerate(rows.iter_rows(named=True)):
        known = row["rank_low"] is not None
        ranks = f"rank {row['rank']}" + (f" ({row['rank_low']}–{row['rank_high']})" if known else "")
        axes.annotate(ranks, (1, place), (4, 0), ("axes fraction", "data"), "offset points", va="center", fontsize=8.5)
    axes.set_xlabel("strength (log odds)")


def _draw_length_control(figure: Figure, part: pl.DataFrame, roster: Roster) -> None:
    """Draw each pair's win rate as judged, and the rate estimated for answers of equal length if it is known.

    A pair has one row, that of the arm with the higher rate as judged.
    """
    pairs = each_pair_once(part, roster)
    names = [f"{arm} over {opponent}" for arm, opponent in pairs.select("arm", "opponent").iter_rows()]
    axes = row_axes(figure, names, 0.3)
    places = np.arange(len(pairs))
    raw, equal = _to_per_cent(pairs["rate"]), _to_per_cent(pairs["equal_length_rate"])
    axes.axvline(50, color=SOFT, linewidth=1, linestyle="--")
    axes.hlines(places, raw, equal, color=GRID, linewidth=3)
    axes.plot(raw, places, "o", markerfacecolor="white", color=CREATIVE, label="as judged")
    axes.plot(equal, places, "o", color=CREATIVE, label="at equal length")
    axes.set(xlabel="win rate (%)", xlim=(0, 100))
    figure.legend(loc="outside lower center", ncols=2)


def _box_plot(column: str, label: str) -> Callable[[Figure, pl.DataFrame, Roster], None]:
    """Return a function that draws a box plot of the answers' values in `column` for each arm; `label` names the axis.

    A box has the colour of the arm's data. Nothing is drawn if the column has no values.
    """

    def draw(figure: Figure, part: pl.DataFrame, roster: Roster) -> None:
        """Draw the box plot of one language's answers into `figure`; nothing if the column has no values."""
        arms = _arms_in(part.drop_nulls(column), roster)
        if not arms:
            return
        values = [part.filter(pl.col("arm") == arm)[column].drop_nulls().to_numpy() for arm in arms]
        axes = column_axes(figure, arms, label)
        boxes = axes.boxplot(values, positions=range(len(arms)), widths=0.55, patch_artist=True, showfliers=False)
        for box, arm in zip(boxes["boxes"], arms, strict=True):
            box.set(facecolor=_colour(arm, roster), alpha=0.75, edgecolor=INK)
        for median in boxes["medians"]:
            median.set(color="#111111")
        label_columns(figure, axes, arms)

    return draw


def _draw_contamination(figure: Figure, part: pl.DataFrame, roster: Roster) -> None:
    """Draw each arm's share of answers in the other language, with the limits in `part`; `roster` gives the colours.

    Arms of which it was not measured are left out; nothing is drawn if no arm is left.
    """
    part = part.drop_nulls("contaminated")
    arms = part["arm"].to_list()
    if not arms:
        return
    names = ("contaminated", "contaminated_low", "contaminated_high")
    rates, lows, highs = (_to_per_cent(part[name]) for name in names)
    axes = column_axes(figure, arms, "answers in the other language (%)")
    axes.bar(range(len(arms)), rates, 0.55, color=[_colour(arm, roster) for arm in arms], alpha=0.85)
    errors = [(rates - lows).clip(0), (highs - rates).clip(0)]
    axes.errorbar(range(len(arms)), rates, yerr=errors, fmt="none", ecolor=INK, capsize=3)
    for place, (rate, high) in enumerate(zip(rates, highs, strict=True)):
        axes.annotate(
            f"{rate:.1f}", (place, high), (0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=8.5
        )
    axes.set_ylim(0, 110)  # one scale for every study, room for a bar of 100


def _draw_behaviour(figure: Figure, part: pl.DataFrame, roster: Roster) -> None:
    """Draw a panel per arm with the share of each behaviour along the reasoning, and its interval as a band."""
    arms = _arms_in(part, roster)
    height = (len(arms) + 2) // 2  # one panel is kept for the legend
    figure.set_size_inches(WIDTH, 0.7 + 1.55 * height)
    panels = figure.subplots(height, 2, sharex=True, sharey=True, squeeze=False).flatten()
    for axes, arm in zip(panels, arms, strict=False):
        for behaviour, (colour, dash) in BEHAVIOURS.items():
            rows = part.filter(arm=arm, behaviour=behaviour).sort("decile")
            where = 10 * rows["decile"].to_numpy() + 5
            low, high = _to_per_cent(rows["low"]), _to_per_cent(rows["high"])
            axes.fill_between(where, low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(where, _to_per_cent(rows["share"]), color=colour, linestyle=dash, linewidth=1.6, label=behaviour)
        axes.set_title(textwrap.fill(arm, PANEL), fontsize=9.5, loc="left")
        axes.set(xlim=(0, 100), ylim=(0, 100), xticks=(0, 50, 100), yticks=(0, 25, 50, 75, 100))
        axes.grid()
        axes.tick_params(labelsize=8, labelbottom=True)
    for axes in panels[len(arms) :]:
        axes.set_axis_off()
    panels[len(arms)].legend(*panels[0].get_legend_handles_labels(), loc="upper left")
    figure.supxlabel("position in the reasoning (%)", fontsize=9.5)
    figure.supylabel("share of steps (%)", fontsize=9.5)


def _draw_genres(figure: Figure, part: pl.DataFrame, roster: Roster) -> None:
    """Draw the win rates of the strongest arm with creative data over the reference, a row per genre, with intervals.

    Nothing is drawn if no genre was judged.
    """
    rows = strongest_by_genre(part, roster)
    if rows.is_empty():
        return
    names = [f"{row['genre'] or 'all genres'} ({row['prompts']})" for row in rows.iter_rows(named=True)]
    axes = row_axes(figure, names, 0.22)
    places = np.arange(len(rows))
    colours = [CREATIVE] * (len(rows) - 1) + [INK]
    axes.axvline(50, color=SOFT, linewidth=1, linestyle="--")
    axes.hlines(
        places, _to_per_cent(rows["low_raters"]), _to_per_cent(rows["high_raters"]), color=colours, linewidth=0.8
    )
    axes.hlines(places, _to_per_cent(rows["low"]), _to_per_cent(rows["high"]), color=colours, linewidth=3, alpha=0.55)
    axes.scatter(_to_per_cent(rows["rate"]), places, s=26, color=colours, edgecolor="white", zorder=3, clip_on=False)
    axes.set_xlim(0, 100)
    of_arm, over = f"win rate of {rows['arm'][0]}", f"over {roster.reference} (%)"
    between = "\n" if len(of_arm + over) > 42 else " "
    figure.supxlabel(f"{of_arm}{between}{over}", fontsize=10)
    axes.tick_params(axis="y", labelsize=8.5)


# each figure's table and the function that draws it
FIGURES: dict[str, tuple[str, Callable[[Figure, pl.DataFrame, Roster], None]]] = {
    "win_rates": ("win_rates", _draw_matrix),
    "strengths": ("strengths", _draw_strengths),
    "length_control": ("length_control", _draw_length_control),
    "length": ("answers", _box_plot("tokens", "length of the answer (tokens)")),
    "ttr": ("answers", _box_plot("ttr", "type-token ratio")),
    "mattr": ("answers", _box_plot("mattr", "MATTR, windows of 50 words")),
    "contamination": ("automatic", _draw_contamination),
    "behaviour": ("behaviour", _draw_behaviour),
    "genres": ("win_rates", _draw_genres),
}


def _arms_in(part: pl.DataFrame, roster: Roster) -> list[str]:
    """Return the names of the arms in a frame's column `arm`, in the roster's order."""
    present = set(part["arm"])
    return [arm for arm in roster.names if arm in present]


def _places(roster: Roster) -> dict[str, int]:
    """Return the position of each arm in the roster."""
    return {arm: place for place, arm in enumerate(roster.names)}


def _to_per_cent(shares: pl.Series) -> NDArray[np.float64]:
    """Convert shares (0–1) to per cent; null becomes NaN."""
    return 100 * shares.cast(pl.Float64).to_numpy()


def _colour(arm: str, roster: Roster) -> str:
    """Return GENERAL for an arm with general data alone, CREATIVE for any other."""
    return GENERAL if roster.is_general(arm) else CREATIVE
