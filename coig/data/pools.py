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
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import polars as pl

from coig.config import DataError, function_of
from coig.data import sources
from coig.data.cache import batched, building, content_sha256, key_of
from coig.data.examples import Example, Row, content_id, example_of, prompt_key
from coig.data.files import located
from coig.fields import local_path
from coig.language import script_share
from coig.rows import Damaged, read_rows
from coig.schema import Data, Source
from coig.study import atomic_folder, sha256_of

log = logging.getLogger(__name__)
Kind = Literal["creative", "general"]
PART_CHARACTERS = 1 << 23  # of one parquet file; bounds what is held in memory
WORTH_A_LINE = 1 << 25  # bytes whose reading takes long enough to say so
SHOWN = 5  # damaged rows named in an error
TEXTS = {"prompt": pl.String, "reasoning": pl.String, "answer": pl.String, "system": pl.String}
INDEX = {
    "id": pl.String,
    "place": pl.String,  # file:line
    "content": pl.String,  # content_id of prompt and answer
    "digest": pl.Binary,  # of the texts
    "prompt_key": pl.Binary,  # of a document, its own text
    "source": pl.String,
    "lang": pl.String,
    "genre": pl.String,
    "score": pl.Float64,
    "script_share": pl.Float64,
    "characters": pl.Int64,
}
SCHEMA = INDEX | TEXTS


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
                    _convert(source, lang, paths, unfinished)
            about = _checked(folder)
    if about is None:
        raise DataError(f"data.cache: {folder} was changed by something else while it was written; run again")
    pool = Pool(key, kind, folder, about)
    _check_quarantine(pool, data.max_quarantined)
    return pool


def _check_quarantine(pool: Pool, limit: float) -> None:
    rows, quarantined = pool.about["rows"], pool.quarantined
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


def _key(source: Source, lang: str, paths: Sequence[Path]) -> str:
    """A name for all that bears on the conversion, the files' paths too: the quarantine names them."""
    shape = function_of(source.shape)
    known = {
        "files": [(str(path.absolute()), content_sha256(path)) for path in paths],
        "shape": [source.target, shape.keywords, source.columns],
        "name": source.name,
        "lang": lang,
    }
    return key_of(known, _convert, example_of, read_rows, script_share, sources.local, shape.func)


def _checked(folder: Path) -> dict[str, Any] | None:
    """What `about.json` says if the folder is whole and undamaged."""
    try:
        about: dict[str, Any] = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        _ = about["files"], about["rows"], about["quarantined"]
        sound = all(content_sha256(folder / part["name"]) == part["sha256"] for part in about["parts"])
        sound = sound and content_sha256(folder / "quarantine.jsonl") == about["quarantine"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if sound else None


def _convert(source: Source, lang: str, paths: Sequence[Path], folder: Path) -> None:
    """Write the sound rows to parquet, part by part, and the damaged ones to the quarantine."""
    shape = partial(sources.by_columns, columns=source.columns) if source.columns else function_of(source.shape)
    contents = {path: content_sha256(path) for path in paths}
    rows = quarantined = 0

    def sound() -> Iterator[Row]:
        nonlocal rows, quarantined
        for path in paths:
            for place, row in read_rows(path):
                rows += 1
                try:
                    yield {"place": place, **_record(row, shape, source.name or path.stem, lang)}
                except ValueError as error:
                    quarantined += 1
                    _quarantine(quarantine, place, str(error), row)

    # polars writes one part on the other cores while the next is read
    with (folder / "quarantine.jsonl").open("w", encoding="utf-8") as quarantine, ThreadPoolExecutor(1) as writer:
        parts: list[Future[dict[str, Any]]] = []
        for number, part in enumerate(batched(sound(), lambda record: record["characters"], PART_CHARACTERS)):
            for written in parts[-1:]:
                written.result()  # no more than two parts are in memory
            parts.append(writer.submit(_written, part, folder / f"{number:05}.parquet"))
    if any(content_sha256(path) != before for path, before in contents.items()):
        raise DataError(f"{', '.join(map(str, paths))}: changed while it was read; run again")
    about = {
        "files": [_described(path) for path in paths],
        "rows": rows,
        "quarantined": quarantined,
        "quarantine": sha256_of(folder / "quarantine.jsonl"),
        "parts": [written.result() for written in parts],
    }
    (folder / "about.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


def _record(row: Any, shape: Callable[[Row], Row], source: str, lang: str) -> Row:
    """A row of the parquet file. Raises ValueError with the reason if the row cannot be used."""
    if isinstance(row, Damaged):
        raise ValueError(row.reason)
    if not isinstance(row, dict):
        raise ValueError(f"not an object but {type(row).__name__}")
    try:
        fields = shape(row)
    except ValueError:
        raise
    except Exception as error:  # a shape of the user's own need not know which rows it will meet
        raise ValueError(f"{type(error).__name__} in the source's function: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"the source's function returned {type(fields).__name__}, no fields")
    example = example_of(fields, source=source, lang=lang)
    return {
        **{name: getattr(example, name) for name in TEXTS},
        "id": example.id,
        "content": content_id(example.prompt, example.answer),
        "digest": example.digest,
        "prompt_key": prompt_key(example.prompt or example.answer),
        "source": example.source,
        "lang": example.lang,
        "genre": example.genre,
        "score": _number(fields.get("score")),
        "characters": example.characters,
    }


def _number(value: Any) -> float | None:
    """A judge's score, which data sets write as a number or a text; None for none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _quarantine(stream: IO[str], place: str, reason: str, row: Any) -> None:
    found = row.text if isinstance(row, Damaged) else row
    # escaped, as a lone surrogate cannot be written otherwise
    stream.write(json.dumps({"place": place, "reason": reason, "row": found}, default=str) + "\n")


def _written(part: Sequence[Row], path: Path) -> dict[str, Any]:
    share = script_share(pl.concat_str("prompt", "reasoning", "answer", separator="\n"))
    # lz4: half again as large as zstd, and several times as fast
    pl.DataFrame(part, schema=SCHEMA).with_columns(script_share=share).write_parquet(path, compression="lz4")
    return {"name": path.name, "rows": len(part), "sha256": sha256_of(path)}


def _described(path: Path) -> dict[str, Any]:
    """What a manifest says about a file; of the hub's, the commit that was downloaded."""
    parents = [parent.name for parent in path.parents]
    commit = parents[parents.index("snapshots") - 1] if "snapshots" in parents else None
    described = {"path": str(path), "sha256": content_sha256(path)}
    return described | {"commit": commit} if commit else described
