"""A source's rows as a pool of examples: converted once to parquet, checked row by row, read back in part.

    <cache>/sources/<key>/00000.parquet …   the sound rows in the files' order, some megabytes each
                          quarantine.jsonl  the others: place, reason and the row itself
                          about.json        counts, and the sha256 of every part

`key` stands for the source's files, their content, the node's arguments and the code that reads them, so a folder never
goes stale.
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
from coig.data.cache import building, content_sha256, key_of
from coig.data.chats import one_turn
from coig.data.conversion import INDEX, TEXTS, convert
from coig.data.examples import Example, example_of
from coig.data.files import located
from coig.errors import DataError
from coig.files.atomic import atomic_folder
from coig.files.rows import read_rows
from coig.text.cleaning import SIMPLIFIED, clean_text
from coig.text.language import script_share
from coig.text.think_tags import split_completion

log = logging.getLogger(__name__)
Kind = Literal["creative", "general"]
WORTH_A_LINE = 1 << 25  # bytes whose reading takes long enough to say so
SHOWN = 5  # damaged rows named in an error


@dataclass(frozen=True)
class Pool:
    """The rows of one source. `key` is its node in the config."""

    key: str
    kind: Kind
    folder: Path
    about: dict[str, Any] = field(compare=False)  # the folder's name stands for it

    @property
    def quarantined(self) -> int:
        return int(self.about["quarantined"])

    @property
    def names(self) -> str:
        return ", ".join(file["path"] for file in self.about["files"])

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine.jsonl"

    @property
    def parts(self) -> list[tuple[Path, int]]:
        """Parquet files and their numbers of rows."""
        return [(self.folder / part["name"], int(part["rows"])) for part in self.about["parts"]]

    def index(self) -> pl.DataFrame:
        """Everything but the texts, a line per sound row; `row` numbers them."""
        parts = [pl.read_parquet(path, columns=list(INDEX)) for path, _ in self.parts]
        return pl.concat([pl.DataFrame(schema=INDEX), *parts]).with_row_index("row")

    def examples(self, rows: Iterable[int]) -> Iterator[Example]:
        """The rows with these numbers, in the pool's order, reading one part at a time."""
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
    """A source's pool, converted if this was not done before; `lang` is its rows' if neither they nor it say another.

    Raises DataError if files cannot be had or read, or more rows are damaged than `data.max_quarantined` allows.
    """
    paths = located(source, key)
    lang = source.lang or lang
    folder = local_path(data.cache).absolute() / "sources" / _key(source, lang, paths)
    if (about := _checked(folder)) is None:
        with building(folder):
            if _checked(folder) is None:  # another process may have been here
                if (size := sum(path.stat().st_size for path in paths)) > WORTH_A_LINE:
                    log.info("%s: reading %.0f MB, once", key, size / 1e6)
                with atomic_folder(folder) as unfinished:
                    convert(source, lang, paths, unfinished)
            about = _checked(folder)
    if about is None:
        raise DataError(f"data.cache: {folder} was changed by something else while it was written; run again")
    pool = Pool(key, kind, folder, about)
    _check_quarantine(pool, data)
    return pool


def _check_quarantine(pool: Pool, data: Data) -> None:
    """Raise DataError if too many rows are damaged, or lack the reasoning that they need."""
    rows, quarantined, limit = pool.about["rows"], pool.quarantined, data.max_quarantined
    if quarantined > limit * rows:
        damaged = [json.loads(line) for line in pool.quarantine.read_text(encoding="utf-8").split("\n")[:SHOWN] if line]
        shown = [f"{row['place']}: {row['reason']}" for row in damaged]
        if quarantined > SHOWN:
            shown.append(f"… and {quarantined - SHOWN} more, all of them in {pool.quarantine}")
        mend = f"mend or remove them, or allow more with data.max_quarantined (now {limit:g})"
        if quarantined == rows:
            mend = "is it JSONL, a JSON array or parquet, in UTF-8, and of the shape that the source reads?"
        raise DataError(
            f"{pool.key}: {quarantined} of {rows} rows of {pool.names} cannot be used; {mend}\n  " + "\n  ".join(shown)
        )
    if rows == quarantined:
        raise DataError(f"{pool.key}: {pool.names} holds no examples")
    without = pool.about["without_reasoning"] if data.no_reasoning == "quarantine" else 0
    if quarantined + without > limit * rows:
        _refuse_without_reasoning(pool, without)


def _refuse_without_reasoning(pool: Pool, without: int) -> None:
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
    """A name for all that bears on the conversion, the files' paths too: the quarantine names them."""
    shape = function_of(source.shape)
    known = {
        "files": [(str(path.absolute()), content_sha256(path)) for path in paths],
        "shape": [source.target, shape.keywords, source.columns],
        "name": source.name,
        "lang": lang,
        "simplified": content_sha256(SIMPLIFIED),
    }
    code = convert, example_of, one_turn, clean_text, split_completion, read_rows, script_share, sources.local
    return key_of(known, *code, shape.func)


def _checked(folder: Path) -> dict[str, Any] | None:
    """Return the content of `about.json`, or None if the folder is incomplete or damaged."""
    try:
        about: dict[str, Any] = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        _ = about["files"], about["rows"], about["quarantined"]
        sound = all(content_sha256(folder / part["name"]) == part["sha256"] for part in about["parts"])
        sound = sound and content_sha256(folder / "quarantine.jsonl") == about["quarantine"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if sound else None
