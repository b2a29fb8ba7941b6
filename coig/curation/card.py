"""Write the data card of an export in Chinese and English, with the funnel as a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import fmean

from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from coig.config import CurateConfig
from coig.curation.desk import parts_of
from coig.curation.rules import PAPER_RANGES
from coig.curation.store import Text
from coig.curation.summary import (
    PAPER_FIRST_ROUND,
    Step,
    false_rejections,
    first_round,
    make_funnel,
    score_agreement,
)
from coig.display.figures import CREATIVE, INK, figure_style, lay_out, render_png, render_svg, row_axes
from coig.display.numbers import interval, number, percent
from coig.text.language_codes import LANGUAGES

ROW = 0.32  # inches
NAMES = {  # of the funnel's steps, in the Chinese card
    "collected": "采集",
    "within the rules": "符合收录规则",
    "assessed": "通过规则检查",
    "unique": "去重后",
    "screened": "通过筛选",
    "written": "已撰写",
    "scored high enough": "评分达标",
    "accepted": "接受",
}


def write_cards(
    folder: Path,
    texts: Sequence[Text],
    train: Sequence[Text],
    held_out: Sequence[Text],
    damaged: int,
    config: CurateConfig,
) -> None:
    """Write card.zh.md, card.en.md, funnel.svg and funnel.png into a folder.

    Args:
        texts: all texts of the curation.
        train, held_out: the exported ones.
        damaged: rows that could not be read.
    """
    funnel = make_funnel(texts, damaged)
    figure = draw_funnel(funnel)
    (folder / "funnel.svg").write_bytes(render_svg(figure))
    (folder / "funnel.png").write_bytes(render_png(figure))
    exported = [*train, *held_out]
    facts = {
        "name": config.name,
        "config": config,
        "funnel": funnel,
        "train": len(train),
        "held_out": len(held_out),
        "ranges": {part: _range([len(parts_of(text)[part]) for text in exported]) for part in PAPER_RANGES},
        "paper": PAPER_RANGES,
        "genres": _count(text.genre or "none" for text in exported),
        "languages": _count(text.lang for text in exported),
        "licences": _count(text.about.get("licence") or "unknown" for text in exported),
        "sources": sum(bool(text.about.get("url")) for text in exported),
        "drafted": sum("draft" in text.triplet.content for text in exported),
        "first_round": first_round(texts),
        "paper_first_round": PAPER_FIRST_ROUND,
        "false_rejections": false_rejections(texts),
        "agreement": {name: value for name, value in score_agreement(texts).items() if value is not None},
        "taken_down": sum(text.state == "taken_down" for text in texts),
        "judges": sorted({event.by.code for text in texts for event in text.of_kind("screen")}),
    }
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"number": number, "percent": percent, "interval": lambda ends: interval(*ends)}
    environment.globals["names"] = NAMES
    for lang in LANGUAGES:
        template = files("coig.curation").joinpath(f"templates/card.{lang}.md.j2").read_text(encoding="utf-8")
        (folder / f"card.{lang}.md").write_text(environment.from_string(template).render(facts), encoding="utf-8")


def draw_funnel(funnel: Sequence[Step]) -> Figure:
    """Return a figure of the funnel: a bar for each step, with its number of texts."""
    with figure_style():
        figure = Figure(layout="constrained")
        figure.set_label("funnel")
        axes = row_axes(figure, [step.name for step in funnel], ROW)
        axes.barh(range(len(funnel)), [step.passed for step in funnel], color=CREATIVE)
        for row, step in enumerate(funnel):
            axes.annotate(f" {step.passed:,}", (step.passed, row), va="center", color=INK)
        axes.set_xlabel("texts")
        axes.margins(x=0.15)
        lay_out(figure)
    return figure


def _range(lengths: Sequence[int]) -> tuple[int, float, int] | None:
    """Return (least, mean, largest) of lengths; None without any."""
    return (min(lengths), fmean(lengths), max(lengths)) if lengths else None


def _count(names: Iterable[str]) -> dict[str, int]:
    """Return {name: how often it occurs}, the most frequent first."""
    return dict(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))
