"""Print texts and tables to the terminal in the same style for all commands."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from coig.display.tables import Table

FOLDED = 24  # characters; cells of text up to this width are not folded
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
WIDTH_IN_A_FILE = 140  # characters, if the output is not a terminal and COLUMNS is not set


def make_console(width: int = WIDTH_IN_A_FILE) -> Console:
    """Return a console that prints texts unchanged, without markup.

    Its width is COLUMNS, if that is a number in the environment, else the terminal's, and `width` without a terminal.
    From then on, standard output prints characters that its encoding lacks as escapes, such as `\\u6625`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()  # rich finds it
    return Console(highlight=False, markup=False, width=None if known else width)


def strip_controls(text: str) -> str:
    """Return a text without control characters but line breaks and tabs; others could move and hide what is printed."""
    return CONTROLS.sub("", text)


def print_table(
    console: Console, table: Table, title: str | None = None, colours: Mapping[str, str] | None = None
) -> None:
    """Print a table, its left-aligned columns folded where they are too wide, the others never.

    A table wider than the console is printed in parts of some columns each; every part repeats title and first column.
    Cells are printed without control characters (`strip_controls`).

    Args:
        colours: of words such as `failed`, where one is the whole cell of any column but the first.
    """
    colours = colours or {}
    for columns in _columns_that_fit(table, console.width):
        printed = make_table(title)
        for column in columns:
            left = table.left[column]
            printed.add_column(
                Text(table.headings[column]), justify="left" if left else "right", no_wrap=not left, overflow="fold"
            )
        for row in table.rows:
            first, *others = (strip_controls(row[column]) for column in columns)
            printed.add_row(Text(first), *(Text(cell, colours.get(cell, "")) for cell in others))
        console.print(printed)


def _columns_that_fit(table: Table, width: int) -> list[list[int]]:
    """Return lists of column indices that fit into `width` characters; each list has column 0 and at least one more.

    Two columns make a list even if they are too wide. A table of one column gives [[0]]; there must be a column.
    """
    longest = [max(map(cell_len, cells)) for cells in zip(table.headings, *table.rows, strict=True)]
    widths = [2 + (min(size, FOLDED) if left else size) for size, left in zip(longest, table.left, strict=True)]
    parts, used = [[0]], widths[0]
    for column, size in list(enumerate(widths))[1:]:
        if used + size > width and len(parts[-1]) > 1:
            parts.append([0])
            used = widths[0]
        parts[-1].append(column)
        used += size
    return parts


def make_table(title: str | None = None) -> RichTable:
    """Return an empty rich table in the style of all commands."""
    return RichTable(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=title, title_justify="left")
