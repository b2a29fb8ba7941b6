"""Figures of the report, as SVG for the page and PNG for slides. Same input, same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure

LANGUAGE_NAMES = {"zh": "Chinese queries", "en": "English queries"}
CREATIVE, GENERAL = "#2f6f8f", "#9a8c7c"
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "coig",  # ids in the SVG are random otherwise
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
}


def figures(answers: pl.DataFrame, table: pl.DataFrame) -> dict[str, Figure]:
    """Every figure by its file name's stem."""
    with mpl.rc_context(STYLE):
        return {
            "length": _panels(answers, "length of the answer (tokens)", _boxes("tokens")),
            "ttr": _panels(answers, "type-token ratio", _boxes("ttr")),
            "contamination": _panels(table, "answers in the other language (%)", _rates),
        }


def rendered(figure: Figure, kind: str) -> bytes:
    """A figure's file, `svg` or `png`, without a date in it."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()


def _panels(frame: pl.DataFrame, label: str, draw: Callable[[Any, pl.DataFrame, list[str]], None]) -> Figure:
    """One panel per language, arms along x."""
    langs = frame["lang"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(4.6 * len(langs), 3.2), layout="constrained")
    for axes, lang in zip(figure.subplots(1, len(langs), sharey=True, squeeze=False)[0], langs, strict=True):
        part = frame.filter(pl.col("lang") == lang)
        arms = part["arm"].unique(maintain_order=True).to_list()
        draw(axes, part, arms)
        axes.set_xticks(range(len(arms)), arms, rotation=20 if len(arms) > 6 else 0)
        axes.set_title(LANGUAGE_NAMES[lang])
        axes.grid(axis="y", color="#e4e0da")
        axes.set_axisbelow(True)
    figure.axes[0].set_ylabel(label)
    return figure


def _boxes(column: str) -> Callable[[Any, pl.DataFrame, list[str]], None]:
    def draw(axes: Any, part: pl.DataFrame, arms: list[str]) -> None:
        values = [part.filter(pl.col("arm") == arm)[column].drop_nulls().to_list() for arm in arms]
        boxes = axes.boxplot(values, positions=range(len(arms)), widths=0.55, patch_artist=True, showfliers=False)
        for box, arm in zip(boxes["boxes"], arms, strict=True):
            box.set(facecolor=_colour(arm), alpha=0.75, edgecolor="#333333")
        for median in boxes["medians"]:
            median.set(color="#111111")

    return draw


def _rates(axes: Any, part: pl.DataFrame, arms: list[str]) -> None:
    rates, lows, highs = (100 * part[name] for name in ("contaminated", "contaminated_low", "contaminated_high"))
    errors = [(rates - lows).clip(0).to_list(), (highs - rates).clip(0).to_list()]
    axes.bar(range(len(arms)), rates.to_list(), 0.55, color=[_colour(arm) for arm in arms], alpha=0.85)
    axes.errorbar(range(len(arms)), rates.to_list(), yerr=errors, fmt="none", ecolor="#333333", capsize=3)
    axes.set_ylim(0, 104)  # one scale for every study, room for a bar of 100


def _colour(arm: str) -> str:
    return GENERAL if arm.startswith("general") else CREATIVE
