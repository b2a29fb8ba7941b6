"""Test queries: JSONL of {id, lang, genre, query}."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coig.config import DataError
from coig.data.examples import clean_text
from coig.fields import LANGUAGES
from coig.rows import Damaged, read_rows


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
        if isinstance(row, Damaged):
            raise DataError(f"{place}: {row.reason}")
        try:
            fields = row if isinstance(row, dict) else {}
            query = Query(*(clean_text(fields, key) for key in ("id", "lang", "genre", "query")))
        except ValueError as error:
            raise DataError(f"{place}: {error}; a query needs id, lang, genre and query, each a text") from None
        if query.lang not in LANGUAGES:
            raise DataError(f"{place}: lang '{query.lang}' is none of {', '.join(LANGUAGES)}")
        if query.id in queries:
            raise DataError(f"{place}: id '{query.id}' stands twice; ids must be unique")
        queries[query.id] = query
    if not queries:
        raise DataError(f"{file}: holds no queries")
    return list(queries.values())
