"""Tables of text, declared by their columns, for the page, the terminal, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coig.display.numbers import NONE

Row = Mapping[str, Any]  # a frame's row, by column


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, the function that makes a row's cell, and whether it is left-aligned."""

    heading: str
    text: Callable[[Row], str]
    left: bool = False


def text_column(heading: str, field: str) -> Column:
    """Return a left-aligned column with a row's `field` as text; a dash where the field is None, empty or 0."""
    return Column(heading, lambda row: str(row[field] or NONE), left=True)


def value_column(heading: str, form: Callable[..., str], *fields: str) -> Column:
    """Return a right-aligned column whose cells are `form(value, …)` of a row's `fields`."""
    return Column(heading, lambda row: form(*(row[field] for field in fields)))


@dataclass(frozen=True)
class Table:
    """A table of text: headings, rows of cells, and for each column whether it is left-aligned."""

    headings: tuple[str, ...]
    left: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


def fill_table(rows: Iterable[Row], columns: Sequence[Column]) -> Table:
    """Build a table from a frame's rows and the declared columns."""
    return Table(
        tuple(column.heading for column in columns),
        tuple(column.left for column in columns),
        tuple(tuple(column.text(row) for column in columns) for row in rows),
    )


def drop_empty_columns(table: Table) -> Table:
    """Return a table without the columns in which every cell is a dash; a table without rows loses all columns."""
    kept = [index for index in range(len(table.headings)) if any(row[index] != NONE for row in table.rows)]
    rows = tuple(tuple(row[index] for index in kept) for row in table.rows)
    return Table(tuple(table.headings[index] for index in kept), tuple(table.left[index] for index in kept), rows)


def render_markdown(table: Table) -> str:
    """Render a table in Markdown, without padding its cells and without a line break at the end."""
    rules = ["---" if left else "---:" for left in table.left]
    return "\n".join(map(_markdown_row, [table.headings, rules, *table.rows]))


def _markdown_row(cells: Sequence[str]) -> str:
    """Join cells into a row of a Markdown table; escape pipes, and turn line breaks into spaces."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
