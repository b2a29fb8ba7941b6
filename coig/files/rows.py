"""Rows of a file one by one, however large it is.

A row comes with its place (`file:line`; the row's number in a parquet file), so that whatever is wrong with it can be
found.
"""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import polars as pl
import polars.selectors as cs

from coig.errors import DataError, first_line
from coig.files.tables import SUFFIXES as TABLE_SUFFIXES
from coig.files.tables import read_csv

log = logging.getLogger(__name__)
OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
ZSTD = b"\x28\xb5\x2f\xfd"
PIECE = 1 << 20  # characters of a JSON array read at once
LARGEST_ROW = 1 << 26
SPACE = r"[ \t\n\r]*"  # JSON's own
FIRST, NEXT = re.compile(SPACE + r"(\]?)" + SPACE), re.compile(SPACE + r"([,\]])" + SPACE)  # what stands before a row
END = object()
NO_DATA = {  # how files begin that are something else
    "version https://git-lfs.": "is a Git LFS pointer, not the data; run `git lfs pull` where it was cloned",
    "<": "is a page of HTML or XML, not the data; download the file itself",
    "PK\x03\x04": "is a ZIP archive or a spreadsheet; unpack it, or save its rows as JSONL",
}
# an object that holds all rows under one key: {"version": 1, "data": [{…
WRAPPER = re.compile(r'\s*\{(?:\s*"[^"]*"\s*:\s*[^\[{,]*,)*\s*"(data|rows|train|examples)"\s*:\s*(?=\[\s*\{)')
DIGITS = 4300  # of the longest whole number that Python reads


class Damaged(NamedTuple):
    """A line that is no JSON, or no row of its table."""

    reason: str
    text: str


def read_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield (place, row) of every row of a file: JSON or Parquet by its first bytes, CSV by its name.

    JSON is JSONL or an array, which may be the value of the key `data` of an object. It may be packed by gzip, bzip2,
    xz or (JSONL) zstd. NaN becomes None. A line of JSONL or CSV that is no row is yielded as Damaged, for the caller to
    report with the others. Raises DataError if the file is of another kind, or cannot be read to its end.
    """
    try:
        with file.open("rb") as stream:
            magic = stream.read(32)
        if magic.startswith(b"PAR1"):
            rows = _parquet_rows(file)
        elif file.suffix.lower() in TABLE_SUFFIXES:
            rows = _table_rows(file, magic)
        else:
            rows = _json_rows(file, magic)
        for number, row in rows:
            yield f"{file}:{number}", row
    except (OSError, EOFError, zlib.error, lzma.LZMAError, pl.exceptions.PolarsError) as error:
        reason = f"{file}: cannot be read to its end ({first_line(error)})"
        raise DataError(f"{reason}; bring the whole file again from where it came") from None


def _parquet_rows(file: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    for batch in pl.scan_parquet(file, glob=False).collect_batches(chunk_size=1024):
        for row in batch.with_columns(cs.float().fill_nan(None)).iter_rows(named=True):
            number += 1
            yield number, row


def _table_rows(file: Path, magic: bytes) -> Iterator[tuple[int, Any]]:
    _check_encoding(file, magic)
    for number, row in read_csv(file):
        yield number, Damaged(row, row) if isinstance(row, str) else row


def _json_rows(file: Path, magic: bytes) -> Iterator[tuple[int, Any]]:
    if magic.startswith(ZSTD):
        for number, line in enumerate(_zstd_lines(file), 1):
            if number == 1 and line.lstrip().startswith("["):
                raise DataError(f"{file}: is a JSON array packed by zstd; unpack it with `zstd -d`")
            if line.strip():
                yield number, _parsed(line)
        return
    opened = next((opener for start, opener in OPENERS.items() if magic.startswith(start)), open)
    if opened is open:
        _check_encoding(file, magic)
    with opened(file, "rt", encoding="utf-8-sig", errors="surrogateescape") as stream:
        start = stream.read(PIECE)
        if kind := next((kind for begin, kind in NO_DATA.items() if start.lstrip().startswith(begin)), None):
            raise DataError(f"{file}: {kind}")
        if wrapper := _wrapper(start):
            log.info("%s: one object; its rows are read from the key '%s'", file, wrapper[1])
        if wrapper or start.lstrip().startswith("["):
            yield from _array_rows(file, start, stream, wrapper.end() if wrapper else start.index("["))
            return
        stream.seek(0)
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, _parsed(line.rstrip("\r\n"))


def _check_encoding(file: Path, magic: bytes) -> None:
    """Raise DataError if the first bytes of a text file are UTF-16 or UTF-32."""
    encoding = json.detect_encoding(magic).upper()
    if not encoding.startswith("UTF-8"):
        raise DataError(f"{file}: is {encoding[:6]}; write it as UTF-8")


def _zstd_lines(file: Path) -> Iterator[str]:
    """Yield the lines of a file packed by zstd, which Python unpacks from 3.14 on and polars in any."""
    for batch in pl.scan_lines(file, glob=False).collect_batches(chunk_size=1024):
        for line in batch["line"]:
            yield line.removeprefix("\ufeff")


def _array_rows(file: Path, text: str, stream: TextIO, at: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield (line, row) of the JSON array that begins at `at` of a file's first `text`.

    Reads on only when the rows at hand are used up. What stands before the array, a key, must be closed behind it.
    """
    is_wrapped, at = "{" in text[:at], text.index("[", at) + 1
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
                raise DataError(
                    f"{file}:{line}: damaged JSON array ({reason}); mend it there, or bring the whole file again"
                ) from None
            text, at = text[at:] + more, 0
            continue
        line += text.count("\n", at, start)
        if row is END:
            break
        yield line, row
        line, at, separator = line + text.count("\n", start, end), end, NEXT
    if not _is_closed(text[end:] + stream.read(), is_wrapped):
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
    if separator is NEXT and text.startswith("]", between.end()):
        raise json.JSONDecodeError("a comma behind the last row", text, between.end())
    row, end = DECODER.raw_decode(text, between.end())
    if end == len(text):
        raise json.JSONDecodeError("it ends in the middle", text, end)
    return row, between.end(), end


def _wrapper(start: str) -> re.Match[str] | None:
    """Return what a file begins with if it is one object that holds all rows; in JSONL each line is an object."""
    first, _, others = start.partition("\n")
    if others.strip() and not isinstance(_parsed(first), Damaged):
        return None
    return WRAPPER.match(start)


def _is_closed(text: str, is_wrapped: bool) -> bool:
    """Tell whether nothing stands behind an array but what closes the object that holds it."""
    if not is_wrapped:
        return not text.strip()
    try:
        return isinstance(json.loads('{"": 0' + text), dict)
    except ValueError:
        return False


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= DIGITS else digits


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


DECODER = json.JSONDecoder(parse_int=_whole_number, parse_constant=_constant)


def _parsed(line: str) -> Any:
    try:
        return DECODER.decode(line)
    except json.JSONDecodeError as error:
        return Damaged(f"no JSON ({error.msg}, column {error.colno})", line)
    except RecursionError as error:
        return Damaged(f"JSON that cannot be read ({error})", line)
