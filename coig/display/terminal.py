"""Print to a terminal: one console and one look of tables for all commands."""

from __future__ import annotations

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from coig.display.tables import Table

WIDTH_IN_A_FILE = 140  # columns, where the output is no terminal


def make_console(width: int = WIDTH_IN_A_FILE) -> Console:
    """Return a console that prints texts as they are; `width` columns where the output is no terminal."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else width)


def print_table(console: Console, table: Table, title: str | None = None) -> None:
    """Print a table: words left and folded where they are too long, numbers right and whole."""
    printed = make_table(title)
    for heading, left in zip(table.headings, table.left, strict=True):
        printed.add_column(heading, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for row in table.rows:
        printed.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console.print(printed)


def make_table(title: str | None = None) -> RichTable:
    """Return an empty table in the look of all commands."""
    return RichTable(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=title, title_justify="left")
