"""Read the rows of a file of any size one by one.

Each row comes with its place (`file:line`; in a parquet file the row's number), so that messages can name it.
"""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import polars as pl
import polars.selectors as cs
from polars.exceptions import PanicException, PolarsError

from coig.errors import DataError, first_line
from coig.files.limits import UnpackedSize, check_depth, check_row, largest_row, parse_json, read_lines
from coig.files.parquet import MAGIC as PARQUET
from coig.files.parquet import check_parquet
from coig.files.tables import SUFFIXES as TABLE_SUFFIXES
from coig.files.tables import read_csv

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

log = logging.getLogger(__name__)
OPENERS: dict[bytes, Callable[..., Any]] = {  # by the first bytes of a file
    **{b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open, b"\x28\xb5\x2f\xfd": zstd.open},
    **{bytes([low]) + b"\x2a\x4d\x18": zstd.open for low in range(0x50, 0x60)},  # a frame to skip comes first
}
PIECE = 1 << 20  # characters of a JSON array read at a time
SPACE = r"[ \t\n\r]*"  # JSON's own
FIRST, NEXT = re.compile(SPACE + r"(\]?)" + SPACE), re.compile(SPACE + r"([,\]])" + SPACE)  # separators before a row
END = object()
NO_DATA = {  # first characters of files that hold no rows → message
    "version https://git-lfs.": "is a Git LFS pointer, not the data; run `git lfs pull` where it was cloned",
    "<": "is a page of HTML or XML, not the data; download the file itself",
    "PK\x03\x04": "is a ZIP archive or a spreadsheet; unpack it, or save its rows as JSONL",
}
# an object that holds all rows under one key: {"version": 1, "data": [{…
WRAPPER = re.compile(r'\s*\{(?:\s*"[^"]*"\s*:\s*[^\[{,]*,)*\s*"(data|rows|train|examples)"\s*:\s*(?=\[\s*\{)')
DIGITS = 4300  # longest whole number that Python parses


class Damaged(NamedTuple):
    """A line that is not valid JSON, or has not as many cells as its table's header, with the reason."""

    reason: str
    text: str


def read_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield (place, row) for every row of a file: parquet by its first bytes, CSV by its suffix, otherwise JSON.

    A place is `file:line`, for parquet `file:row`. JSON is JSONL or an array, which may be under a key such as `data`
    of one object. It may be compressed with gzip, bzip2, xz or zstd. NaN becomes None. An invalid line of
    JSONL or CSV is yielded as Damaged. Raises DataError if the file is missing, is of another kind, is a damaged array,
    is larger than `coig.files.limits` allows, or cannot be read to its end.
    """
    try:
        with file.open("rb") as stream:
            magic = stream.read(32)
        if magic.startswith(PARQUET):
            rows = _parquet_rows(file)
        elif file.suffix.lower() in TABLE_SUFFIXES:
            rows = _table_rows(file, magic)
        else:
            rows = _json_rows(file, magic)
        for number, row in rows:
            yield f"{file}:{number}", row
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError, PanicException, PolarsError) as error:
        reason = f"{file}: cannot be read to its end ({first_line(error)})"
        raise DataError(f"{reason}; bring the whole file again from where it came") from None


def _parquet_rows(file: Path) -> Iterator[tuple[int, Any]]:
    """Yield (number from 1, row) of a parquet file, NaN as None."""
    check_parquet(file)
    number, unpacked = 0, UnpackedSize(file)
    for batch in pl.scan_parquet(file, glob=False).collect_batches(chunk_size=1024):
        for size in batch.select(pl.sum_horizontal(pl.lit(1, pl.Int64), cs.string().str.len_bytes())).to_series():
            check_row(size, f"{file}: in rows {number + 1}–{number + len(batch)}")
            unpacked.add(size)
        for row in batch.with_columns(cs.float().fill_nan(None)).iter_rows(named=True):
            number += 1
            yield number, row


def _table_rows(file: Path, magic: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (line, row or Damaged) of a CSV or TSV file. Raises DataError unless `magic`, its start, is UTF-8."""
    _check_encoding(file, magic)
    for number, row in read_csv(file):
        yield number, Damaged(row, row) if isinstance(row, str) else row


def _json_rows(file: Path, magic: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (line, row or Damaged) of JSONL or a JSON array; `magic`, the file's start, tells its compression.

    The array may be under a key of one object, such as `data`. Skips blank lines. Bytes that are no UTF-8 become lone
    surrogates, which `clean_text` refuses later. Raises DataError if the file is UTF-16 or UTF-32, is another kind of
    file, is a damaged array, or has a row that is too large.
    """
    opened = next((opener for start, opener in OPENERS.items() if magic.startswith(start)), open)
    if opened is open:
        _check_encoding(file, magic)
    unpacked = None if opened is open else UnpackedSize(file)
    with opened(file, "rt", encoding="utf-8-sig", errors="surrogateescape") as stream:
        start = stream.read(PIECE)
        if kind := next((kind for begin, kind in NO_DATA.items() if start.lstrip().startswith(begin)), None):
            raise DataError(f"{file}: {kind}")
        if wrapper := _match_wrapper(start):
            log.info("%s: one object; its rows are read from the key '%s'", file, wrapper[1])
        if wrapper or start.lstrip().startswith("["):
            yield from _array_rows(file, start, stream, wrapper.end() if wrapper else start.index("["), unpacked)
            return
        stream.seek(0)
        for number, line in read_lines(stream, file, unpacked):
            if line.strip():
                yield number, _parse_line(line.rstrip("\r\n"))


def _check_encoding(file: Path, magic: bytes) -> None:
    """Raise DataError if the first bytes of a text file are UTF-16 or UTF-32."""
    encoding = json.detect_encoding(magic).upper()
    if not encoding.startswith("UTF-8"):
        raise DataError(f"{file}: is {encoding[:6]}; write it as UTF-8")


def _array_rows(
    file: Path, text: str, stream: TextIO, at: int = 0, unpacked: UnpackedSize | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield (line, row) for each item of the JSON array that begins at or after position `at` of `text`.

    `text` is the file's start and `stream` the rest, of which more is read only when no complete row is left. Raises
    DataError for a damaged array, or for text after it other than the end of an object around it.
    """
    is_wrapped, at = "{" in text[:at], text.index("[", at) + 1
    largest = largest_row()
    line, separator = 1 + text.count("\n", 0, at), FIRST
    while True:
        try:
            row, start, end = _next_row(text, at, separator)
        except (ValueError, RecursionError) as error:
            unread = len(text) - at
            more = stream.read(max(PIECE, unread)) if unread < largest else ""
            if unpacked:
                unpacked.add(len(more))
            if not more:
                line += text.count("\n", at, getattr(error, "pos", at))
                reason = f"{getattr(error, 'msg', error)}" + (", or a row too large" if unread >= largest else "")
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
    if not _is_closed(text[end:] + stream.read(PIECE), is_wrapped) or stream.read(1):
        raise DataError(f"{file}:{line}: text behind the end of the JSON array; keep one array in a file")


def _next_row(text: str, at: int, separator: re.Pattern[str]) -> tuple[Any, int, int]:
    """Return the next row after position `at` (END at the array's end), its start and its end position.

    `separator` matches what precedes the row: FIRST for the first, NEXT for all others. Raises ValueError or
    RecursionError if the text is damaged or ends before the row does.
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
    check_depth(text[between.end() : end], row)
    return row, between.end(), end


def _match_wrapper(start: str) -> re.Match[str] | None:
    """Match the start of a file that is one object with all rows under a key, up to the array; [1] is the key.

    Returns None for JSONL and arrays.
    """
    first, _, others = start.partition("\n")
    if others.strip() and not isinstance(_parse_line(first), Damaged):
        return None
    return WRAPPER.match(start)


def _is_closed(text: str, is_wrapped: bool) -> bool:
    """Tell whether the text after an array is blank or, if an object wraps the array, closes that object."""
    if not is_wrapped:
        return not text.strip()
    try:
        return isinstance(parse_json('{"": 0' + text), dict)
    except ValueError:
        return False


def _whole_number(digits: str) -> int | str:
    """Parse a whole number; return one of more than DIGITS digits as text, since Python refuses it."""
    return int(digits) if len(digits) <= DIGITS else digits


def _constant(name: str) -> float | None:
    """Parse Infinity and -Infinity as floats, NaN as None."""
    return None if name == "NaN" else float(name)


DECODER = json.JSONDecoder(parse_int=_whole_number, parse_constant=_constant)


def _parse_line(line: str) -> Any:
    """Parse a line of JSON; return Damaged if it is invalid."""
    try:
        return parse_json(line, DECODER)
    except json.JSONDecodeError as error:
        return Damaged(f"no JSON ({error.msg}, column {error.colno})", line)
    except ValueError as error:
        return Damaged(f"JSON that cannot be read ({error})", line)
