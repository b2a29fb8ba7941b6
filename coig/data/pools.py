"""Open a source as a pool of examples: convert its rows to parquet once, then read only the rows that are needed.

    <cache>/sources/<key>/00000.parquet …   the usable rows in the files' order, some megabytes each
                          quarantine.jsonl  the other rows, each with place and reason
                          about.json        counts, and the sha256 of every part

`key` is a hash of the files' paths and content, the source's arguments and the code that reads them, so a folder is
never out of date.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from coig.config import Data, Source
from coig.config.fields import local_path
from coig.config.loading import function_of
from coig.data import sources
from coig.data.cache import content_sha256, key_of, locked_for_building
from coig.data.chats import one_turn
from coig.data.conversion import INDEX, TEXTS, convert
from coig.data.examples import Example, example_of
from coig.data.files import locate_files
from coig.errors import DataError
from coig.files.atomic import atomic_folder
from coig.files.limits import parse_json
from coig.files.rows import read_rows
from coig.files.tables import read_csv
from coig.text.cleaning import SIMPLIFIED, clean_text
from coig.text.language import script_share
from coig.text.think_tags import split_completion

log = logging.getLogger(__name__)
Kind = Literal["creative", "general"]
WORTH_A_LINE = 1 << 25  # bytes; reading more takes long enough to be logged
SHOWN = 5  # damaged rows named in an error


@dataclass(frozen=True)
class Pool:
    """The rows of one source, converted to parquet in `folder`.

    key: the source's node in the config, such as `data.general.zh`. about: the content of the folder's about.json.
    """

    key: str
    kind: Kind
    folder: Path
    about: dict[str, Any] = field(compare=False)  # a dict has no hash, and the folder's name identifies the content

    @property
    def quarantined(self) -> int:
        """Return the number of rows that cannot be used."""
        return int(self.about["quarantined"])

    @property
    def names(self) -> str:
        """Return the paths of the source's files, comma-separated, for messages."""
        return ", ".join(file["path"] for file in self.about["files"])

    @property
    def quarantine(self) -> Path:
        """Return the path of the file with the rows that cannot be used."""
        return self.folder / "quarantine.jsonl"

    @property
    def parts(self) -> list[tuple[Path, int]]:
        """Return the paths of the parquet files, each with its number of rows."""
        return [(self.folder / part["name"], int(part["rows"])) for part in self.about["parts"]]

    def index(self) -> pl.DataFrame:
        """Return a frame with a line for each usable row: the columns `INDEX` (no texts) and its number `row`."""
        parts = [pl.read_parquet(path, columns=list(INDEX)) for path, _ in self.parts]
        return pl.concat([pl.DataFrame(schema=INDEX), *parts]).with_row_index("row")

    def examples(self, rows: Iterable[int]) -> Iterator[Example]:
        """Yield the examples with these row numbers, in ascending order, reading one part at a time."""
        wanted = pl.Series(sorted(rows), dtype=pl.UInt32)
        start = 0
        for path, count in self.parts:
            here = wanted.filter(wanted.is_between(start, start + count - 1))
            if len(here):
                columns = ["id", "source", "lang", "genre", *TEXTS]
                part = pl.read_parquet(path, columns=columns)[here - start]
                for fields in part.iter_rows(named=True):
                    yield Example(**fields)
            start += count


def open_pool(source: Source, kind: Kind, lang: str, key: str, data: Data) -> Pool:
    """Return a source's pool; convert its files first if the cache does not have them.

    Args:
        lang: the language of rows, if neither they nor the source name one.
        key: the source's node in the config, for messages.

    Raises DataError if files are missing or unreadable, if no row is usable, or if a larger share of the rows than
    `data.max_quarantined` is unusable; with `data.no_reasoning=quarantine` rows without reasoning are, too.
    """
    paths = locate_files(source, key)
    lang = source.lang or lang
    folder = local_path(data.cache).absolute() / "sources" / _key(source, lang, paths)
    about = _read_about(folder) or _convert_files(source, lang, paths, folder, key)
    if about is None:
        raise DataError(f"data.cache: {folder} was changed by something else while it was written; run again")
    pool = Pool(key, kind, folder, about)
    _check_quarantine(pool, data)
    return pool


def _convert_files(source: Source, lang: str, paths: Sequence[Path], folder: Path, key: str) -> dict[str, Any] | None:
    """Convert a source's files into `folder`, and return what `_read_about` reads there then.

    Converts nothing if another process has done so by the time that the folder is locked.
    """
    with locked_for_building(folder):
        if about := _read_about(folder):
            return about
        if (size := sum(path.stat().st_size for path in paths)) > WORTH_A_LINE:
            log.info("%s: reading %.0f MB, once", key, size / 1e6)
        with atomic_folder(folder) as unfinished:
            convert(source, lang, paths, unfinished)
        return _read_about(folder)


def _check_quarantine(pool: Pool, data: Data) -> None:
    """Raise DataError if no row is usable, or too many are unusable or lack reasoning that is required.

    Too many is a larger share of all rows than `data.max_quarantined`.
    """
    rows, quarantined, limit = pool.about["rows"], pool.quarantined, data.max_quarantined
    if quarantined > limit * rows:
        damaged = [json.loads(line) for line in pool.quarantine.read_text(encoding="utf-8").split("\n")[:SHOWN] if line]
        shown = [f"{row['place']}: {row['reason']}" for row in damaged]
        if quarantined > SHOWN:
            shown.append(f"… and {quarantined - SHOWN} more, all of them in {pool.quarantine}")
        mend = f"mend or remove them, or allow more with data.max_quarantined (now {limit:g})"
        if quarantined == rows:
            mend = "is it JSONL, a JSON array, CSV or parquet, in UTF-8, and of the shape that the source reads?"
        raise DataError(
            f"{pool.key}: {quarantined} of {rows} rows of {pool.names} cannot be used; {mend}\n  " + "\n  ".join(shown)
        )
    if rows == quarantined:
        raise DataError(f"{pool.key}: {pool.names} holds no examples")
    without = pool.about["without_reasoning"] if data.no_reasoning == "quarantine" else 0
    if quarantined + without > limit * rows:
        _refuse_without_reasoning(pool, without)


def _refuse_without_reasoning(pool: Pool, without: int) -> None:
    """Raise, always, the DataError that names the first rows without reasoning and the settings that accept them."""
    places = pool.index().filter(~pl.col("has_reasoning"))["place"].head(SHOWN)
    rows, share = pool.about["rows"], (without + pool.quarantined) / pool.about["rows"]
    leave_out = (
        f", or leave them out with data.max_quarantined={math.ceil(100 * share) / 100:g}" if share < 0.99 else ""
    )
    raise DataError(
        f"{pool.key}: {without} of {rows} rows of {pool.names} have no reasoning; if that is meant, give "
        f"data.no_reasoning=empty (learn an empty think block), or supervision=outcome (learn answers only)"
        f"{leave_out}\n  " + "\n  ".join(f"{place}: reasoning: empty" for place in places)
    )


def _key(source: Source, lang: str, paths: Sequence[Path]) -> str:
    """Return the cache key of a conversion; it covers the files' paths too, which the stored places contain."""
    shape = function_of(source.shape)
    known = {
        "files": [(str(path.absolute()), content_sha256(path)) for path in paths],
        "shape": [source.target, shape.keywords, source.columns],
        "name": source.name,
        "lang": lang,
        "simplified": content_sha256(SIMPLIFIED),
    }
    reads = read_rows, read_csv, parse_json
    makes = convert, example_of, one_turn, clean_text, split_completion, script_share, sources.local
    return key_of(known, *reads, *makes, shape.func)


def _read_about(folder: Path) -> dict[str, Any] | None:
    """Return the content of the folder's `about.json`; None if a file is missing or differs from its sha256."""
    try:
        about: dict[str, Any] = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        _ = about["files"], about["rows"], about["quarantined"]
        sound = all(content_sha256(folder / part["name"]) == part["sha256"] for part in about["parts"])
        sound = sound and content_sha256(folder / "quarantine.jsonl") == about["quarantine"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if sound else None
