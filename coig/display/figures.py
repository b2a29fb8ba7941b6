"""One look for all figures: style, fonts, axes, and files of the same bytes for the same input."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text

from coig.text.language import HAN

log = logging.getLogger(__name__)
CREATIVE, GENERAL, INK, SOFT, GRID = "#2f6f8f", "#9a8c7c", "#333333", "#8a8580", "#e4e0da"
WIDTH = 4.0  # inches; a phone shows it at about four fifths of its size
CJK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Noto Sans CJK JP"),
)


def lay_out(figure: Figure) -> None:
    """Place a figure's parts for good: its files then need not do it again."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")


def render_svg(figure: Figure) -> bytes:
    """Return a figure as SVG. Equal figures give equal bytes: no date, and ids drawn from the figure's label."""
    buffer = io.BytesIO()
    # with one salt for all figures, ids of two figures on one page would be the same
    with drawing({"svg.hashsalt": str(figure.get_label())}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def render_png(figure: Figure) -> bytes:
    """Return a figure as PNG of 160 dots per inch, without a date or a program's name."""
    buffer = io.BytesIO()
    figure.set_dpi(160)
    with drawing():
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


@contextmanager
def drawing(settings: dict[Any, Any] | None = None) -> Iterator[None]:
    """In the report's style; matplotlib would warn of each character that no font has, at each text."""
    style = {
        "svg.fonttype": "none",
        "text.parse_math": False,  # a $ in a name is a dollar
        "font.family": ["DejaVu Sans", *_chinese_font()],
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
    }
    with mpl.rc_context(style | (settings or {})), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        yield


@cache
def _chinese_font() -> list[str]:
    """The first of those that are installed, if any."""
    installed = set(font_manager.get_font_names())
    return [name for name in CJK_FONTS if name in installed][:1]


def warn_of_missing_font(drawn: Iterable[Figure]) -> None:
    labels = (str(text.get_text()) for figure in drawn for text in figure.findobj(Text))
    if not _chinese_font() and any(HAN.search(label) for label in labels):
        log.warning(
            "the PNG figures show boxes for Chinese characters, for no font here has them; report and SVG are sound. "
            "Install one (Debian: fonts-noto-cjk), delete %s/fontlist*.json and evaluate again",
            mpl.get_cachedir(),
        )


def column_axes(figure: Figure, arms: Sequence[str], label: str) -> Any:
    """Axes with the arms along x."""
    axes = figure.subplots()
    label_columns(figure, axes, arms)
    axes.set_ylabel(label)
    axes.grid(axis="y")
    return axes


def label_columns(figure: Figure, axes: Any, names: Sequence[str]) -> None:
    """Write a name below each column, and widen the figure so that many have room."""
    figure.set_size_inches(max(WIDTH, 0.42 * len(names) + 0.8), figure.get_figheight())
    slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slant(names) else {}
    axes.set_xticks(range(len(names)), names, **slanted)


def row_axes(figure: Figure, names: Sequence[str], height: float) -> Any:
    """Axes with a name per row, the first on top, `height` inches each."""
    figure.set_size_inches(width_beside(names), 1.1 + height * len(names))
    axes = figure.subplots()
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x")
    return axes


def width_beside(names: Sequence[str]) -> float:
    """Return the inches of a figure that has room for a plot beside names."""
    return max(WIDTH, 2.0 + 0.085 * max(map(len, names)))


def slant(names: Sequence[str]) -> int:
    """Degrees by which names along x must turn so as not to touch."""
    return 30 if sum(map(len, names)) > 30 else 0


def is_dark(colour: tuple[float, ...]) -> bool:
    """By relative luminance: white text reads better on it than dark text (WCAG 2.2)."""
    red, green, blue = map(float, colour[:3])
    luminance: float = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return luminance < 0.25
