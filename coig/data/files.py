"""Where a source's files are, and their rows one by one, however large the file.

A row comes with its place (`file:line`; the row's number in a parquet file), so that whatever is wrong with it can be
found.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import polars as pl
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from coig.data.examples import DataError
from coig.schema import Hub, Source, matching_files

PIECE = 1 << 20  # characters of a JSON array read at once
LARGEST_ROW = 1 << 26
BETWEEN = re.compile(r"[\s,]*")


class Damaged(NamedTuple):
    """A line that is no JSON."""

    reason: str
    text: str


def located(source: Source, key: str) -> list[Path]:
    """The source's files on this machine, downloaded if need be.

    Raises DataError that says, for the node `key` of the config, what to download and where to put it.
    """
    if source.path is not None:
        return matching_files(source.path)
    assert source.hub is not None
    return [_downloaded(source.hub, file, key) for file in source.hub.files]


def _downloaded(hub: Hub, file: str, key: str) -> Path:
    try:
        return Path(hf_hub_download(hub.repo, file, repo_type="dataset", revision=hub.revision))
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        local = file if len(hub.files) == 1 else re.sub(r"[^/]+$", f"*{Path(file).suffix}", file)
        command = f"hf download {hub.repo} {' '.join(hub.files)} --repo-type dataset --revision {hub.revision}"
        raise DataError(
            f"{key}: cannot download {file} of the hub's data set {hub.repo} ({reason})\n"
            f"  where the hub can be reached: {command} --local-dir DIR\n"
            f"  then copy DIR to this machine and give {key}.path='DIR/{local}'\n"
            "  if there is a mirror, set HF_ENDPOINT to its address; HF_HUB_OFFLINE=1 forbids downloads"
        ) from None


def read_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """(place, row) of every row of a parquet file, a JSON array or JSONL, gzipped or not, told by the first bytes.

    A line of JSONL that is no JSON is yielded as Damaged, for the caller to report with the others.
    Raises DataError if the file cannot be read to its end.
    """
    with file.open("rb") as stream:
        magic = stream.read(4)
    rows = _parquet_rows(file) if magic == b"PAR1" else _json_rows(file, gzipped=magic.startswith(b"\x1f\x8b"))
    try:
        for number, row in rows:
            yield f"{file}:{number}", row
    except (OSError, EOFError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{file}: cannot be read ({str(error).splitlines()[0]}); download it again") from None


def _parquet_rows(file: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    for batch in pl.scan_parquet(file, glob=False).collect_batches(chunk_size=1024):
        for row in batch.iter_rows(named=True):
            number += 1
            yield number, row


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
    decode = json.JSONDecoder().raw_decode
    at = text.index("[") + 1
    line, counted = 1, 0
    while True:
        at = BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, at), at
        if text.startswith("]", at):
            return
        try:
            row, end = decode(text, at)
            whole, reason, where = end < len(text), "it ends in the middle", len(text)
        except json.JSONDecodeError as error:
            whole, reason, where = False, error.msg, error.pos
        except (ValueError, RecursionError) as error:
            whole, reason, where = False, str(error), at
        if whole:
            yield line, row
            at = end
            continue
        more = stream.read(max(PIECE, len(text) - at)) if len(text) - at < LARGEST_ROW else ""
        if not more:
            line += text.count("\n", at, where)
            raise DataError(f"{file}:{line}: damaged JSON array ({reason}); download it again")
        text, at, counted = text[at:] + more, 0, 0


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return Damaged(f"no JSON ({error.msg}, column {error.colno})", line)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets nested as deep
        return Damaged(f"JSON that cannot be read ({error})", line)
