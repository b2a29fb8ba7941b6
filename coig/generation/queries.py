"""Test queries: JSONL of {id, lang, genre, query}."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coig.config import LANGUAGES
from coig.data.examples import DataError
from coig.data.sources import read_rows


@dataclass(frozen=True)
class Query:
    id: str
    lang: str
    genre: str
    query: str


def read_queries(file: Path) -> list[Query]:
    """The queries of a file, in order. Raises DataError that names the first bad line."""
    queries: dict[str, Query] = {}
    for place, row in read_rows(file):
        if isinstance(row, ValueError):
            raise DataError(f"{place}: {row}")
        values = [row.get(key) if isinstance(row, dict) else None for key in ("id", "lang", "genre", "query")]
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise DataError(f"{place}: a query needs id, lang, genre and query, each a text")
        query = Query(*values)  # type: ignore[arg-type]
        if query.lang not in LANGUAGES:
            raise DataError(f"{place}: lang '{query.lang}' is none of {', '.join(LANGUAGES)}")
        if query.id in queries:
            raise DataError(f"{place}: id '{query.id}' stands twice; ids must be unique")
        queries[query.id] = query
    if not queries:
        raise DataError(f"{file}: holds no queries")
    return list(queries.values())
