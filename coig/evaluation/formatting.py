"""Numbers as people read them, and tables of them: one look for the page, Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LANGUAGE_NAMES = {"zh": "Chinese queries", "en": "English queries"}
NONE = "–"
Row = Mapping[str, Any]


def percent(share: float | None) -> str:
    """A share of 0–1 in per cent, without the sign."""
    return NONE if share is None else number(100 * share, 1)


def number(value: float | None, decimals: int | None = None) -> str:
    """With thousands separators; unless told, with the decimals that show three figures, at most three."""
    if value is None or math.isnan(value):
        return NONE
    return f"{value:z,.{decimals_of(value) if decimals is None else decimals}f}".replace("-", "−")


def signed(value: float | None, decimals: int | None = None) -> str:
    """A difference, its sign shown unless it rounds to 0."""
    text = number(value, decimals)
    return f"+{text}" if text[0] not in "−–" and text.strip("0.") else text


def p_value(p: float | None) -> str:
    if p is None or math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float | None, high: float | None, form: Callable[[float | None], str] = percent) -> str:
    """`[low, high]`, or a dash unless both ends are known."""
    ends = form(low), form(high)
    return NONE if NONE in ends else f"[{ends[0]}, {ends[1]}]"


def yes_or_no(value: bool | None) -> str:
    return NONE if value is None else "yes" if value else "no"


def decimals_of(value: float) -> int:
    """How many decimals show three figures of a value, at most three; none of a whole number."""
    if isinstance(value, int) or abs(value) >= 100:
        return 0
    return 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3


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
