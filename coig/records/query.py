"""Test queries: JSONL of {id, lang, genre, query}."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, model_validator

from coig.config.fields import Language
from coig.errors import DataError
from coig.records.record import Record, read_records
from coig.text.cleaning import clean_text


def _clean(value: Any, info: ValidationInfo) -> str:
    try:
        return clean_text({str(info.field_name): value}, str(info.field_name))
    except ValueError as error:
        raise ValueError(f"{error}{NEEDS}") from None


NEEDS = "; a query needs id, lang, genre and query, each a text"
CleanText = Annotated[str, BeforeValidator(_clean)]


class Query(Record):
    """A prompt that every arm answers."""

    id: CleanText
    lang: Annotated[Language, BeforeValidator(_clean)]
    genre: CleanText
    query: CleanText

    @model_validator(mode="before")
    @classmethod
    def _has_all_keys(cls, row: Any) -> Any:
        if isinstance(row, dict) and (missing := [key for key in cls.model_fields if key not in row]):
            raise ValueError(f"{missing[0]}: missing{NEEDS}")
        return row


def read_queries(file: Path) -> list[Query]:
    """Return the queries of a file, in order. Raises DataError that names the first bad line."""
    queries: dict[str, Query] = {}
    for place, query in read_records(file, Query):
        if query.id in queries:
            raise DataError(f"{place}: id '{query.id}' stands twice; ids must be unique")
        queries[query.id] = query
    if not queries:
        raise DataError(f"{file}: holds no queries")
    return list(queries.values())
