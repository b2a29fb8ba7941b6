"""Print to a terminal: one console and one look of tables for all commands."""

from __future__ import annotations

import io
import sys

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from coig.display.tables import Table

FOLDED = 24  # columns that a cell of words has at least, before it is folded
WIDTH_IN_A_FILE = 140  # columns, where the output is no terminal


def make_console(width: int = WIDTH_IN_A_FILE) -> Console:
    """Return a console that prints texts as they are; `width` columns where the output is no terminal.

    A character that the terminal's encoding lacks is written as its escape, `\\u6625`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else width)


def print_table(console: Console, table: Table, title: str | None = None) -> None:
    """Print a table: words left and folded where they are too long, numbers right and whole.

    A table too wide for the console is printed in parts, each of which begins with the first column.
    """
    for columns in _columns_that_fit(table, console.width):
        printed = make_table(title)
        for column in columns:
            left = table.left[column]
            printed.add_column(
                Text(table.headings[column]), justify="left" if left else "right", no_wrap=not left, overflow="fold"
            )
        for row in table.rows:
            printed.add_row(*(cell if isinstance(cell := row[column], Text) else Text(cell) for column in columns))
        console.print(printed)


def _columns_that_fit(table: Table, width: int) -> list[list[int]]:
    """Return the columns of each part of a table: as many as fit into `width` beside the first one."""
    longest = [max(map(_cell_width, cells)) for cells in zip(table.headings, *table.rows, strict=True)]
    widths = [2 + (min(size, FOLDED) if left else size) for size, left in zip(longest, table.left, strict=True)]
    parts, used = [[0]], widths[0]
    for column, size in list(enumerate(widths))[1:]:
        if used + size > width and len(parts[-1]) > 1:
            parts.append([0])
            used = widths[0]
        parts[-1].append(column)
        used += size
    return parts


def _cell_width(cell: str | Text) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(cell)


def make_table(title: str | None = None) -> RichTable:
    """Return an empty table in the look of all commands."""
    return RichTable(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=title, title_justify="left")
