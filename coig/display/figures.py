"""Style, fonts, axes and files of all figures. Equal figures give equal bytes."""

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
from rich.cells import cell_len

from coig.text.language import HAN

log = logging.getLogger(__name__)
CREATIVE, GENERAL, INK, SOFT, GRID = "#2f6f8f", "#9a8c7c", "#333333", "#8a8580", "#e4e0da"
WIDTH = 4.0  # inches; a phone shows such a figure at about four fifths of its size
HEIGHT = 2.9  # inches
COLUMN = 0.42  # inches; width of a named column
CHARACTER = 0.085  # inches; width of a character of a name at the axes, half that of a Chinese one
CJK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Noto Sans CJK JP"),
)


def lay_out(figure: Figure) -> None:
    """Compute a figure's layout and freeze it, so that writing SVG and PNG does not compute it again.

    The figure must have a layout engine, which is removed.
    """
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")


def render_svg(figure: Figure) -> bytes:
    """Render a figure as SVG. It has no date, and its ids depend on its label, so equal figures give equal bytes."""
    buffer = io.BytesIO()
    # the label as salt keeps the ids of two figures on one page distinct
    with figure_style({"svg.hashsalt": str(figure.get_label())}):
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(buffer, metadata=no_metadata)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def render_png(figure: Figure) -> bytes:
    """Render a figure as PNG at 160 dots per inch, without metadata; the figure keeps this resolution."""
    buffer = io.BytesIO()
    figure.set_dpi(160)
    with figure_style():
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


@contextmanager
def figure_style(settings: dict[Any, Any] | None = None) -> Iterator[None]:
    """Apply the report's matplotlib style, and `settings` over it, inside a `with` block.

    Warnings about missing glyphs are silenced: `warn_of_missing_font` warns once instead of once per text.
    """
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
    """Return a list of one name, the first font of CJK_FONTS that is installed; an empty list if none is."""
    installed = set(font_manager.get_font_names())
    return [name for name in CJK_FONTS if name in installed][:1]


def warn_of_missing_font(figures: Iterable[Figure]) -> None:
    """Log one warning if a figure has Chinese text and no Chinese font is installed."""
    labels = (str(text.get_text()) for figure in figures for text in figure.findobj(Text))
    if not _chinese_font() and any(HAN.search(label) for label in labels):
        log.warning(
            "the PNG figures show boxes for Chinese characters, because no installed font has them; report and SVG are "
            "right. Install one (Debian: fonts-noto-cjk), delete %s/fontlist*.json and evaluate again",
            mpl.get_cachedir(),
        )


def column_axes(figure: Figure, arms: Sequence[str], label: str) -> Any:
    """Add axes with one named column per arm and `label` on the y axis, and set the figure's width; return the axes."""
    axes = figure.subplots()
    label_columns(figure, axes, arms)
    axes.set_ylabel(label)
    axes.grid(axis="y")
    return axes


def label_columns(figure: Figure, axes: Any, names: Sequence[str]) -> None:
    """Label the columns with names, slanted as `label_angle` says, and set the figure's size to suit them.

    The size is at least WIDTH and HEIGHT, and larger where slanted names need it. There must be a name.
    """
    lengths = [CHARACTER * cell_len(name) if label_angle(names) else 0 for name in names]
    left = max(0.87 * length - COLUMN * place for place, length in enumerate(lengths))  # of the first column
    figure.set_size_inches(max(WIDTH, COLUMN * len(names) + max(0.8, left)), HEIGHT + 0.5 * max(lengths))
    slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if label_angle(names) else {}
    axes.set_xticks(range(len(names)), names, **slanted)


def row_axes(figure: Figure, names: Sequence[str], height: float) -> Any:
    """Add axes with a row of `height` inches for each name, the first on top; return the axes.

    The figure's size is set to suit the names.
    """
    figure.set_size_inches(width_beside(names), 1.1 + height * len(names))
    axes = figure.subplots()
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x")
    return axes


def width_beside(names: Sequence[str]) -> float:
    """Return the width in inches, at least WIDTH, of a figure with these names, at least one, beside its rows."""
    return max(WIDTH, 2.0 + CHARACTER * max(map(cell_len, names)))


def label_angle(names: Sequence[str]) -> int:
    """Return the angle in degrees of names on the x axis: 30 if they are wider than 30 columns in all, else 0."""
    return 30 if sum(map(cell_len, names)) > 30 else 0


def is_dark(colour: tuple[float, ...]) -> bool:
    """Tell whether white text is more legible than dark text on an RGB colour (0–1), by luminance (WCAG 2.2)."""
    red, green, blue = map(float, colour[:3])
    luminance: float = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return luminance < 0.25
