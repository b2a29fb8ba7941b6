"""Convert a source's files to parquet, row by row; write rows that cannot be used to a quarantine file."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

import polars as pl

from coig.config import Source
from coig.config.loading import function_of
from coig.data import sources
from coig.data.cache import batched, content_sha256
from coig.data.examples import example_of
from coig.errors import DataError
from coig.files.atomic import sha256_of
from coig.files.rows import Damaged, read_rows
from coig.files.secrets import fold_home
from coig.text.cleaning import Row, content_id, prompt_key
from coig.text.language import script_share
from coig.text.think_tags import REASONING_END

PART_CHARACTERS = 1 << 23  # characters in one parquet file; limits memory use
TEXTS = {"prompt": pl.String, "reasoning": pl.String, "answer": pl.String, "system": pl.String}
INDEX = {
    "id": pl.String,
    "place": pl.String,  # file:line
    "content": pl.String,  # content_id of prompt and answer
    "digest": pl.Binary,  # Example.digest
    "prompt_key": pl.Binary,  # computed from the prompt, or from a document's text
    "source": pl.String,
    "lang": pl.String,
    "genre": pl.String,
    "score": pl.Float64,
    "script_share": pl.Float64,
    "characters": pl.Int64,
    "has_reasoning": pl.Boolean,  # true for documents, which need none
}
SCHEMA = INDEX | TEXTS


def convert(source: Source, lang: str, paths: Sequence[Path], folder: Path) -> None:
    """Write the usable rows of `paths` to parquet files in `folder`, the other rows to its quarantine.jsonl.

    Counts and every file's sha256 are written to about.json. `lang` is the language of rows that do not name one.
    Raises DataError if a file of `paths` changes meanwhile.
    """
    contents = {path: content_sha256(path) for path in paths}
    # polars writes one part on other cores while this thread reads the next
    with (folder / "quarantine.jsonl").open("w", encoding="utf-8") as quarantine, ThreadPoolExecutor(1) as writer:
        rows = _UsableRows(source, lang, paths, quarantine)
        parts: list[Future[dict[str, Any]]] = []
        for number, part in enumerate(batched(rows, lambda record: record["characters"], PART_CHARACTERS)):
            for written in parts[-1:]:
                written.result()  # keeps no more than two parts in memory
            parts.append(writer.submit(_write_part, part, folder / f"{number:05}.parquet"))
    if any(content_sha256(path) != before for path, before in contents.items()):
        raise DataError(f"{', '.join(map(str, paths))}: changed while it was read; run again")
    about = {
        "files": [_describe_file(path) for path in paths],
        **rows.counts,
        "quarantine": sha256_of(folder / "quarantine.jsonl"),
        "parts": [written.result() for written in parts],
    }
    (folder / "about.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


class _UsableRows:
    """Iterates over the records of a source's usable rows, with place and unique id; quarantines the other rows.

    `counts` has the numbers of rows so far: of all, quarantined ones, and those that `coig.data.mixture.REMARKS` tells.
    """

    def __init__(self, source: Source, lang: str, paths: Sequence[Path], quarantine: IO[str]) -> None:
        columns = source.columns
        self._shape = partial(sources.by_columns, columns=columns) if columns else function_of(source.shape)
        self._name, self._lang, self._paths, self._quarantine = source.name, lang, paths, quarantine
        self._unique = _UniqueIds(paths)
        self.counts: Counter[str] = Counter(rows=0, quarantined=0, split=0, without_reasoning=0, renamed=0)

    def __iter__(self) -> Iterator[Row]:
        """Yield the records, file by file."""
        for path in self._paths:
            for place, row in read_rows(path):
                record = self._read(path, place, row)
                if record is not None:
                    yield record

    def _read(self, path: Path, place: str, row: Any) -> Row | None:
        """Return a row's record, or None for a row that was written to the quarantine; count it either way."""
        self.counts["rows"] += 1
        try:
            record, split = _record(row, self._shape, self._name or path.stem, self._lang)
        except ValueError as error:
            self.counts["quarantined"] += 1
            _quarantine(self._quarantine, place, str(error), row)
            return None
        name = self._unique.give_id(path, record)
        without_reasoning, renamed = not record["has_reasoning"], name != record["id"]
        self.counts.update(split=split, without_reasoning=without_reasoning, renamed=renamed)
        return record | {"place": place, "id": name}


class _UniqueIds:
    """Gives rows ids that are unique over all files of a source, even if each file's ids start again.

    An id that another file already used gets the file's name as a prefix. Versions of a text in several languages and
    copies of a row keep one id.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        absolute = [path.absolute() for path in paths]
        common = Path(os.path.commonpath([path.parent for path in absolute]))
        names = [str(path.relative_to(common).with_suffix("")) for path in absolute]
        self._names = dict(zip(paths, names, strict=True))
        self._first: dict[tuple[str, str], tuple[Path, bytes]] = {}  # (language, id) → file and digest of its first row

    def give_id(self, path: Path, record: Row) -> str:
        """Return a record's own id, or `<file>:<id>` if another file had this id first, with other texts.

        Only records of one language are compared, and ids repeated within a file stay. `<file>` is `path` below the
        files' common folder, without suffix. With several files, remembers the first record of each id and language.
        """
        name = str(record["id"])
        if len(self._names) == 1:
            return name
        first, digest = self._first.setdefault((record["lang"], name), (path, record["digest"]))
        return name if path == first or record["digest"] == digest else f"{self._names[path]}:{name}"


def _record(row: Any, shape: Callable[[Row], Row], source: str, lang: str) -> tuple[Row, bool]:
    """Return a source's row as a row of the parquet file, and whether its answer held a think block.

    The returned row has the columns of `SCHEMA` except `place` and `script_share`. Raises ValueError with the reason if
    the row cannot be used.
    """
    if isinstance(row, Damaged):
        raise ValueError(row.reason)
    if not isinstance(row, dict):
        raise ValueError(f"not an object but {type(row).__name__}")
    try:
        fields = shape(row)
    except ValueError:
        raise
    except Exception as error:  # a user's function may raise anything on a row that it does not expect
        raise ValueError(f"{type(error).__name__} in the source's function: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"the source's function returned {type(fields).__name__}, no fields")
    example = example_of(fields, source=source, lang=lang)
    record = {
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
        "has_reasoning": bool(example.reasoning) or example.is_document,
    }
    return record, not example.is_document and REASONING_END in str(fields["answer"])


def _number(value: Any) -> float | None:
    """Return a judge's score, given as number or text; None if it is missing or not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _quarantine(stream: IO[str], place: str, reason: str, row: Any) -> None:
    """Write an unusable row, its place and the reason as a JSON line to `stream`."""
    found = row.text if isinstance(row, Damaged) else row
    # ASCII only: a lone surrogate cannot be written as UTF-8
    stream.write(json.dumps({"place": fold_home(place), "reason": reason, "row": found}, default=str) + "\n")


def _write_part(part: Sequence[Row], path: Path) -> dict[str, Any]:
    """Write rows, with a column `script_share`, to a parquet file; return a dict of its name, rows and sha256."""
    share = script_share(pl.concat_str("prompt", "reasoning", "answer", separator="\n"))
    # lz4 takes 1.5 times the space of zstd, but is several times as fast
    pl.DataFrame(part, schema=SCHEMA).with_columns(script_share=share).write_parquet(path, compression="lz4")
    return {"name": path.name, "rows": len(part), "sha256": sha256_of(path)}


def _describe_file(path: Path) -> dict[str, Any]:
    """Return a dict of a file's path and sha256, and its commit if it comes from the hub's cache."""
    parents = [parent.name for parent in path.parents]
    commit = parents[parents.index("snapshots") - 1] if "snapshots" in parents else None
    described = {"path": fold_home(str(path)), "sha256": content_sha256(path)}
    return described | {"commit": commit} if commit else described
