"""Tables of text, declared by their columns: one look for the page, the terminal, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coig.display.numbers import NONE

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A table's column: its heading and the text of its cells; words stand left, numbers right."""

    heading: str
    text: Callable[[Row], str]
    left: bool = False


def words(heading: str, field: str) -> Column:
    return Column(heading, lambda row: str(row[field] or NONE), left=True)


def shown(heading: str, form: Callable[..., str], *fields: str) -> Column:
    """A column of the fields' values as `form` writes them."""
    return Column(heading, lambda row: form(*(row[field] for field in fields)))


@dataclass(frozen=True)
class Table:
    """Cells as text; `left` says of each column whether it stands left."""

    headings: tuple[str, ...]
    left: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


def table(rows: Iterable[Row], columns: Sequence[Column]) -> Table:
    return Table(
        tuple(column.heading for column in columns),
        tuple(column.left for column in columns),
        tuple(tuple(column.text(row) for column in columns) for row in rows),
    )


def markdown(shown_table: Table) -> str:
    """The table in Markdown, its cells as narrow as their text."""
    rules = ["---" if left else "---:" for left in shown_table.left]
    return "\n".join(map(_markdown_row, [shown_table.headings, rules, *shown_table.rows]))


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
