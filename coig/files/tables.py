"""Read and write CSV for spreadsheets: with a byte order mark, and with formulas escaped."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import polars as pl

from coig.errors import DataError
from coig.files.limits import largest_row, read_lines

SUFFIXES = (".csv", ".tsv")
# what spreadsheets take for a formula (OWASP, "CSV Injection"), unless it is a number
FORMULA = r"[=+\-@\t\r\n\x00＝＋－＠]"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
TO_ESCAPE = rf"^('*{FORMULA})"
ESCAPED = re.compile(rf"'('*{FORMULA})")


def write_csv(frame: pl.DataFrame) -> str:
    """Return a frame as the text of a CSV file that Excel opens as UTF-8.

    A text that a spreadsheet would run as a formula, unless it is a number, gets an apostrophe in front, which
    `read_csv` removes.
    """
    text = pl.col(pl.String)
    escaped = text.str.replace(TO_ESCAPE, "'$1")
    is_number = text.str.contains(f"^{NUMBER}$")
    return frame.with_columns(pl.when(is_number).then(text).otherwise(escaped)).write_csv(include_bom=True)


def read_csv(file: Path) -> Iterator[tuple[int, dict[str, str | None] | str]]:
    """Yield (line, row) for a table with a header; a row is {column: text}, with None for empty cells.

    The separator is comma, semicolon or tab, whichever is most frequent in the header. For a row of another length than
    the header, yields (line, error text) instead; skips blank lines. Raises DataError if the file is not CSV in UTF-8
    or repeats a column.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            yield from _read_table(stream, file)
    except UnicodeDecodeError:
        raise DataError(f'{file}: is not UTF-8; in Excel save it as "CSV UTF-8"') from None


def _read_table(stream: TextIO, file: Path) -> Iterator[tuple[int, dict[str, str | None] | str]]:
    """Yield what `read_csv` does from the open file. Raises DataError if it is not CSV or repeats a column."""
    separator = max(",;\t", key=stream.readline(largest_row()).count)
    stream.seek(0)
    csv.field_size_limit(largest_row())
    rows = csv.reader((line for _, line in read_lines(stream, file)), delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if twice := [name for name in header if header.count(name) > 1]:
            raise DataError(f"{file}:1: two columns are called '{twice[0]}'; rename one")
        first = rows.line_num + 1
        for cells in rows:
            if cells:
                yield first, _read_row(header, cells)
            first = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"{file}:{rows.line_num}: no CSV ({error})") from None


def _read_row(header: list[str], cells: list[str]) -> dict[str, str | None] | str:
    """Return a row as {column: text}, with None for empty cells; as an error text if its length is not the header's."""
    if len(cells) != len(header):
        return f"{len(cells)} cells below a header of {len(header)}"
    return dict(zip(header, map(_read_cell, cells), strict=True))


def _read_cell(cell: str) -> str | None:
    """Return a cell's text without the apostrophe that `write_csv` adds; None if it is empty."""
    return ESCAPED.sub(r"\1", cell, count=1) if ESCAPED.match(cell) else cell or None
