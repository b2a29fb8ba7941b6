"""Rows of a file one by one, however large it is.

A row comes with its place (`file:line`; the row's number in a parquet file), so that whatever is wrong with it can be
found.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import polars as pl

from coig.errors import DataError, first_line
from coig.files.tables import SUFFIXES as TABLE_SUFFIXES
from coig.files.tables import read_csv

PIECE = 1 << 20  # characters of a JSON array read at once
LARGEST_ROW = 1 << 26
SPACE = r"[ \t\n\r]*"  # JSON's own
FIRST, NEXT = re.compile(SPACE + r"(\]?)" + SPACE), re.compile(SPACE + r"([,\]])" + SPACE)  # what stands before a row
END = object()


class Damaged(NamedTuple):
    """A line that is no JSON, or no row of its table."""

    reason: str
    text: str


def read_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """(place, row) of every row of a parquet file, a JSON array or JSONL, gzipped or not, told by the first bytes, and
    of CSV, told by the file's name.

    A line of JSONL or CSV that is no row is yielded as Damaged, for the caller to report with the others.
    Raises DataError if the file cannot be read to its end.
    """
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
        if magic.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{file}: is UTF-16; write it as UTF-8")
        if magic == b"PAR1":
            rows = _parquet_rows(file)
        elif file.suffix.lower() in TABLE_SUFFIXES:
            rows = _table_rows(file)
        else:
            rows = _json_rows(file, gzipped=magic.startswith(b"\x1f\x8b"))
        for number, row in rows:
            yield f"{file}:{number}", row
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        raise DataError(f"{file}: cannot be read ({first_line(error)}); download it again") from None


def _parquet_rows(file: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    for batch in pl.scan_parquet(file, glob=False).collect_batches(chunk_size=1024):
        for row in batch.iter_rows(named=True):
            number += 1
            yield number, row


def _table_rows(file: Path) -> Iterator[tuple[int, Any]]:
    for number, row in read_csv(file):
        yield number, Damaged(row, row) if isinstance(row, str) else row


def _json_rows(file: Path, *, gzipped: bool) -> Iterator[tuple[int, Any]]:
    opened = gzip.open if gzipped else open
    with opened(file, "rt", encoding="utf-8-sig", errors="surrogateescape") as stream:
        start = stream.read(PIECE)
        if start.lstrip().startswith("["):
            yield from _array_rows(file, start, stream)
            return
        stream.seek(0)
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, _parsed(line.rstrip("\r\n"))


def _array_rows(file: Path, text: str, stream: TextIO) -> Iterator[tuple[int, Any]]:
    """(line, row) of a JSON array that begins with `text`, reading on only when the rows at hand are used up."""
    at = text.index("[") + 1
    line, separator = 1 + text.count("\n", 0, at), FIRST
    while True:
        try:
            row, start, end = _next_row(text, at, separator)
        except (ValueError, RecursionError) as error:
            unread = len(text) - at
            more = stream.read(max(PIECE, unread)) if unread < LARGEST_ROW else ""
            if not more:
                line += text.count("\n", at, getattr(error, "pos", at))
                reason = f"{getattr(error, 'msg', error)}" + (", or a row too large" if unread >= LARGEST_ROW else "")
                raise DataError(f"{file}:{line}: damaged JSON array ({reason}); download it again") from None
            text, at = text[at:] + more, 0
            continue
        line += text.count("\n", at, start)
        if row is END:
            break
        yield line, row
        line, at, separator = line + text.count("\n", start, end), end, NEXT
    if text[end:].strip() or any(piece.strip() for piece in iter(lambda: stream.read(PIECE), "")):
        raise DataError(f"{file}:{line}: text behind the end of the JSON array; keep one array in a file")


def _next_row(text: str, at: int, separator: re.Pattern[str]) -> tuple[Any, int, int]:
    """The row behind `at` (END for the array's end), where it starts and where it ends.

    Raises ValueError or RecursionError if the text ends before, or is damaged.
    """
    between = separator.match(text, at)
    if between is None:
        raise json.JSONDecodeError("no comma between rows", text, at)
    if between[1] == "]":
        return END, between.end(), between.end()
    row, end = json.JSONDecoder().raw_decode(text, between.end())
    if end == len(text):
        raise json.JSONDecodeError("it ends in the middle", text, end)
    return row, between.end(), end


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return Damaged(f"no JSON ({error.msg}, column {error.colno})", line)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets nested as deep
        return Damaged(f"JSON that cannot be read ({error})", line)
