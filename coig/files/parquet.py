"""Tell from a parquet file's metadata how much it unpacks to, before anything is unpacked.

A footer and a header before each page say it, written in Thrift's compact protocol. Formats:
https://github.com/apache/parquet-format and https://github.com/apache/thrift/blob/master/doc/specs/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from polars.exceptions import PanicException, PolarsError

from coig.errors import DataError, first_line
from coig.files.limits import UnpackedSize, largest_row

MAGIC = b"PAR1"
VALUE = 16  # bytes of memory that one value takes at least: a text is a length and a place
PAGE = 1 << 14  # bytes that a page counts beside its content, so that a file has no more than can be looked at
MOST_VALUES = 5_000_000  # of a footer
HEADER = 4096  # bytes of a page's header, but for long texts in its statistics
# numbers of fields in parquet.thrift
ROW_GROUPS, COLUMNS, META_DATA = 4, 1, 3
VALUES, PACKED_SIZE, DATA_OFFSET, DICTIONARY_OFFSET = 5, 7, 9, 11
PAGE_SIZE, PAGE_PACKED_SIZE, PAGE_HEADERS, PAGE_VALUES = 2, 3, (5, 8), 1
TRUE, FALSE, BYTE, SHORT, INT, LONG, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)  # types of Thrift


def check_parquet(file: Path) -> None:
    """Raise DataError if a parquet file unpacks to more than it is allowed to, or its metadata is damaged.

    All pages count together; so do all values of one row group, of which a page can hold any number in a few bytes.
    """
    try:
        _add_up(file)
    except ValueError as error:
        reason = f"{file}: cannot be read to its end ({error})"
        raise DataError(f"{reason}; bring the whole file again from where it came") from None


def read_table(file: Path, columns: Sequence[str] = ("*",)) -> pl.DataFrame:
    """Return a table that evaluate.py wrote, with these columns, all by default.

    Raises DataError if it is damaged, lacks one of them, or unpacks to too much.
    """
    try:
        _add_up(file)
        return pl.read_parquet(file).select(columns)
    except (OSError, ValueError, PanicException, PolarsError) as error:
        raise DataError(f"{file}: damaged ({first_line(error)}); run evaluate.py again, which writes it") from None


def _add_up(file: Path) -> None:
    """Do the work of `check_parquet`, but raise ValueError if the metadata is damaged."""
    try:
        with file.open("rb") as stream:
            pages = UnpackedSize(file)
            for group in _read_footer(stream)[ROW_GROUPS]:
                values = UnpackedSize(file)
                for column in (chunk[META_DATA] for chunk in group[COLUMNS]):
                    values.add(VALUE * max(_add_pages(stream, column, pages), _natural(column[VALUES])))
    except (IndexError, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise ValueError("damaged parquet") from None


def _add_pages(stream: BinaryIO, column: dict[int, Any], pages: UnpackedSize) -> int:
    """Add the unpacked sizes of a column's pages to `pages`, and return the number of values that they hold."""
    count = 0
    for size, number in _pages_of(stream, column):
        pages.add(PAGE + size)
        count += number
    return count


def _read_footer(stream: BinaryIO) -> dict[int, Any]:
    """Return a file's metadata. Raises ValueError if it is not there, or is larger than a row may be."""
    end = stream.seek(0, 2) - 8
    stream.seek(max(0, end))
    length, magic = int.from_bytes(stream.read(4), "little"), stream.read(4)
    if magic != MAGIC or not 0 < length <= min(end, largest_row()):
        raise ValueError
    stream.seek(end - length)
    return _Compact(stream.read(length)).read_struct()


def _pages_of(stream: BinaryIO, column: dict[int, Any]) -> Iterator[tuple[int, int]]:
    """Yield (bytes that it unpacks to, number of values) of each page of a column in a row group."""
    at = _natural(column.get(DICTIONARY_OFFSET, 0)) or _natural(column[DATA_OFFSET])
    end = at + _natural(column[PACKED_SIZE])
    while at < end:
        header, length = _read_page_header(stream, at)
        counts = [header[key].get(PAGE_VALUES, 0) for key in PAGE_HEADERS if key in header]
        yield _natural(header[PAGE_SIZE]), _natural(sum(counts))
        at += length + _natural(header[PAGE_PACKED_SIZE])


def _read_page_header(stream: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """Return the header of the page that begins at a byte, and its length. Raises IndexError if the file ends there."""
    size = HEADER
    while True:
        stream.seek(at)
        reader = _Compact(stream.read(size))
        try:
            return reader.read_struct(), reader.at
        except IndexError:
            if len(reader.content) < size or size > largest_row():
                raise
            size *= 16


def _natural(number: Any) -> int:
    """Return a number that is not negative. Raises ValueError for any other."""
    if not isinstance(number, int) or number < 0:
        raise ValueError
    return number


class _Compact:
    """A reader of Thrift's compact protocol.

    Its methods raise IndexError where the content ends too early, ValueError where it is no Thrift or too long.
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.at, self.left = content, 0, MOST_VALUES

    def read_struct(self) -> dict[int, Any]:
        """Return {number of a field: its value}."""
        fields: dict[int, Any] = {}
        number = 0
        while header := self._byte():
            number = number + (header >> 4) if header >> 4 else self._integer()
            fields[number] = self._value(header & 15, in_field=True)
        return fields

    def _value(self, kind: int, *, in_field: bool = False) -> Any:
        """Return the next value, which is of this type. The type of a field that is true or false is its value."""
        self.left -= 1
        if self.left < 0:
            raise ValueError
        if kind in (TRUE, FALSE) and in_field:
            return kind == TRUE
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind in (SHORT, INT, LONG):
            return self._integer()
        if kind == DOUBLE:
            return self._bytes(8)
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind in (LIST, SET):
            header = self._byte()
            size = header >> 4 if header >> 4 < 15 else self._varint()
            return [self._value(header & 15) for _ in range(size)]
        if kind == MAP:
            size = self._varint()
            kinds = self._byte() if size else 0
            return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(size)]
        if kind == STRUCT:
            return self.read_struct()
        raise ValueError

    def _byte(self) -> int:
        """Return the next byte."""
        self.at += 1
        return self.content[self.at - 1]

    def _bytes(self, size: int) -> bytes:
        """Return so many bytes."""
        found = self.content[self.at : self.at + size]
        if len(found) < size:
            raise IndexError
        self.at += size
        return found

    def _varint(self) -> int:
        """Return a number that is not negative, seven bits in each byte, the lowest first."""
        number = 0
        for shift in range(0, 70, 7):  # as many as 64 bits take
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise ValueError

    def _integer(self) -> int:
        """Return a number of either sign, which is written as a varint with its sign in the lowest bit."""
        number = self._varint()
        return number >> 1 ^ -(number & 1)
