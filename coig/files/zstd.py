"""Tell from the headers of a zstd file how much it may unpack to, before anything is unpacked (RFC 8878)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from coig.errors import DataError
from coig.files.limits import Tally

MAGIC = b"\x28\xb5\x2f\xfd"
DAMAGED = "cannot be read to its end ({}); bring the whole file again from where it came"
SKIPPED = range(0x184D2A50, 0x184D2A60)  # magic numbers of frames that hold no content
LARGEST_BLOCK = 1 << 17  # bytes that a block unpacks to at most
RAW, RLE, COMPRESSED = range(3)  # types of blocks


def check_zstd(file: Path) -> None:
    """Raise DataError if a zstd file may unpack to more than it is allowed to, or is damaged.

    polars, which unpacks it, would hold a line of any length. Each compressed block counts as much as it can hold, so a
    file of very many tiny blocks may be refused although it holds less.
    """
    tally, size = Tally(file, "may unpack to"), file.stat().st_size
    with file.open("rb") as stream:
        while stream.tell() < size:
            start = stream.tell()
            try:
                for block in _blocks_of_frame(stream):
                    tally.add(block)
            except (IndexError, ValueError):
                raise DataError(f"{file}: {DAMAGED.format(f'no zstd from byte {start} on')}") from None
            if stream.tell() > size:
                raise DataError(f"{file}: {DAMAGED.format('it ends in the middle')}")


def _blocks_of_frame(stream: BinaryIO) -> Iterator[int]:
    """Yield the most bytes that each block of the next frame unpacks to, and go to the frame's end.

    Raises ValueError or IndexError if there is no frame.
    """
    magic = stream.read(4)
    if int.from_bytes(magic, "little") in SKIPPED:
        stream.seek(_number(stream, 4), 1)
        return
    if magic != MAGIC:
        raise ValueError
    flags = stream.read(1)[0]
    has_window, has_checksum = not flags & 0x20, flags & 0x04
    window = _window(stream.read(1)[0]) if has_window else None
    stream.seek((0, 1, 2, 4)[flags & 3], 1)  # the number of a dictionary
    content = _number(stream, (0 if has_window else 1, 2, 4, 8)[flags >> 6]) + 256 * (flags >> 6 == 1)
    largest = min(LARGEST_BLOCK, content if window is None else window)
    is_last = False
    while not is_last:
        header = _number(stream, 3)
        is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind > COMPRESSED:
            raise ValueError
        stream.seek(1 if kind == RLE else size, 1)
        yield largest if kind == COMPRESSED else size
    stream.seek(4 if has_checksum else 0, 1)


def _window(descriptor: int) -> int:
    """Return how many bytes back a frame may refer, which no block is larger than, from the byte that says so."""
    base = 1 << (10 + (descriptor >> 3))
    return base + base // 8 * (descriptor & 7)


def _number(stream: BinaryIO, size: int) -> int:
    """Read an unsigned little-endian number of so many bytes. Raises ValueError at the stream's end."""
    content = stream.read(size)
    if len(content) < size:
        raise ValueError
    return int.from_bytes(content, "little")
