"""Say what commands have made in a folder, so that two runs can be compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from benchmarks.faults.rater import ACKNOWLEDGED
from coig.curation.database import DATABASE as CURATION
from coig.curation.store import Store
from coig.files.atomic import sha256_of
from coig.records.judgment_database import DATABASE as JUDGMENTS
from coig.records.judgment_database import TABLES, read_database
from coig.web.database import open_database

Kept = TypeVar("Kept")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:+]+")
Results = dict[str, list[Any]]  # file → [number of records, a digest of them]: lists, as JSON has them


def results(folder: Path) -> Results:
    """Return what the commands have made: weights, losses, answers, tables, judgments, triplets; nothing of times."""
    found = {str(file).removeprefix(str(folder)): rows for file, rows in _rows_of(folder)}
    return {name: [len(rows), _digest(rows)] for name, rows in found.items()}


def _rows_of(folder: Path) -> Iterator[tuple[Path, list[Any]]]:
    """Yield each file that the commands have made, with its records."""
    for file in folder.glob("multirun/*/*/model/model.safetensors"):
        yield file, [sha256_of(file)]
    for file in folder.glob("multirun/*/*/metrics.jsonl"):
        lines = map(json.loads, file.read_text().splitlines())
        yield file, [{key: one[key] for key in one if "loss" in key or key == "step"} for one in lines]
    for file in folder.glob("multirun/*/*/generations/*.jsonl"):
        yield file, sorted(file.read_text(encoding="utf-8").splitlines())
    for file in folder.glob("multirun/*/evaluation/*.parquet"):
        yield file, pl.read_parquet(file).to_dicts()
    for file in folder.glob(f"multirun/*/{JUDGMENTS}"):
        yield file, _judgments(file, folder / ACKNOWLEDGED)
    for file in folder.glob(f"curations/*/{CURATION}"):
        yield file, _read_curation(file.parent)
    for file in folder.glob("curations/*/export/*.jsonl"):
        yield file, sorted(TIME.sub("", file.read_text(encoding="utf-8")).splitlines())


def _judgments(file: Path, acknowledged: Path) -> list[Any]:
    """Return the judgments of a database, then the keys of those that were acknowledged and are not there."""
    database = open_database(file, TABLES)
    with database.reading() as connection:
        found = read_database(connection, file.parent.name, history=True)
    database.close()
    keys = acknowledged.read_text(encoding="utf-8").split() if acknowledged.exists() else []
    rows = [one.model_dump(include={"query_id", "kind", "arms", "value", "rater"}, mode="json") for one in found]
    return [*sorted(rows, key=lambda row: str(row["query_id"])), *sorted(set(keys) - {one.id for one in found})]


def _read_curation(folder: Path) -> list[Any]:
    """Return each text of a curation with all that has happened to it."""
    store = Store(folder)
    try:
        return [
            [text.key, text.state, [[one.kind, one.state, one.value] for one in text.events]]
            for text in sorted(store.read_texts(), key=lambda text: text.key)
        ]
    finally:
        store.close()


def _digest(rows: list[Any]) -> str:
    """Return a digest of rows."""
    return hashlib.sha256(json.dumps(rows, default=str, sort_keys=True).encode()).hexdigest()[:16]


def compare(found: Results, wanted: Results) -> tuple[str, str]:
    """Return whether results are `equal`, lack a `lost line` or have a `wrong number`, and which file shows it."""
    for name, (count, digest) in wanted.items():
        if name not in found or found[name][0] < count:
            return "lost line", name
        if found[name][1] != digest:
            return "wrong number", name
    return "equal", ""


def keep(file: Path, make: Callable[[], Kept]) -> Kept:
    """Return what `make` returns, from a file if an earlier run has kept it there."""
    if not file.exists():
        file.write_text(json.dumps(make()), encoding="utf-8")
    loaded: Kept = json.loads(file.read_text(encoding="utf-8"))
    return loaded
