"""Test queries: rows of {id, lang, genre, query}, or the prompts that a file of the authors' answers holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, model_validator

from coig.errors import DataError
from coig.records.authors import is_authors_file, read_authors_prompts
from coig.records.record import LanguageName, Record, make_record, read_records, text_of
from coig.text.cleaning import clean_text


def _clean(value: Any, info: ValidationInfo) -> str:
    try:
        return clean_text({str(info.field_name): value}, str(info.field_name))
    except ValueError as error:
        raise ValueError(f"{error}{NEEDS}") from None


def _id(value: Any) -> str:
    try:
        return text_of({"id": value}, "id")
    except ValueError as error:
        raise ValueError(f"{error}{NEEDS}") from None


NO_GENRE = "none"  # the genre of queries without a recorded one
NEEDS = "; a query needs id, lang, genre and query, each a text"
CleanText = Annotated[str, BeforeValidator(_clean)]


class Query(Record):
    """A prompt that every arm answers."""

    id: Annotated[CleanText, BeforeValidator(_id)]
    lang: Annotated[LanguageName, BeforeValidator(_clean)]
    genre: CleanText
    query: CleanText

    @model_validator(mode="before")
    @classmethod
    def _has_all_keys(cls, row: Any) -> Any:
        if isinstance(row, dict) and (missing := [key for key in cls.model_fields if key not in row]):
            raise ValueError(f"{missing[0]}: missing{NEEDS}")
        return row


def read_queries(file: Path) -> list[Query]:
    """Return the queries of a file, ours or the authors', in order. Raises DataError that names the first bad line."""
    queries: dict[str, Query] = {}
    for place, query in _authors_queries(file) if is_authors_file(file) else read_records(file, Query):
        if query.id in queries:
            raise DataError(f"{place}: id '{query.id}' stands twice; ids must be unique")
        queries[query.id] = query
    if not queries:
        raise DataError(f"{file}: holds no queries")
    return list(queries.values())


def _authors_queries(file: Path) -> Iterator[tuple[str, Query]]:
    for row in read_authors_prompts(file):
        place = f"{file}: {row['id']}"
        yield place, make_record(place, {"genre": NO_GENRE, **row}, Query)
