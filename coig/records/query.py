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
    """Return a field's text cleaned. Raises ValueError, with what a query needs, if it is no text, blank or damaged."""
    try:
        return clean_text({str(info.field_name): value}, str(info.field_name))
    except ValueError as error:
        raise ValueError(f"{error}{NEEDS}") from None


def _clean_id(value: Any) -> str:
    """Return an id as text, a whole number as its digits.

    Raises ValueError, with what a query needs, if it is blank or another type.
    """
    try:
        return text_of({"id": value}, "id")
    except ValueError as error:
        raise ValueError(f"{error}{NEEDS}") from None


NO_GENRE = "none"  # the genre of queries without a recorded one
NEEDS = "; a query needs id, lang, genre and query, each a text"
CleanText = Annotated[str, BeforeValidator(_clean)]


class Query(Record):
    """A prompt that every arm answers."""

    id: Annotated[CleanText, BeforeValidator(_clean_id)]
    lang: Annotated[LanguageName, BeforeValidator(_clean)]
    genre: CleanText
    query: CleanText

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, row: Any) -> Any:
        """Return the row unchanged. Raises ValueError for the first key that it lacks, with what a query needs."""
        if isinstance(row, dict) and (missing := [key for key in cls.model_fields if key not in row]):
            raise ValueError(f"{missing[0]}: missing{NEEDS}")
        return row


def read_queries(file: Path) -> list[Query]:
    """Return the queries in a file of queries, or the prompts in a file of the authors' answers, in order.

    Raises DataError that names the first bad line, for two queries with one id, and for a file without queries.
    """
    queries: dict[str, Query] = {}
    for place, query in _authors_queries(file) if is_authors_file(file) else read_records(file, Query):
        if query.id in queries:
            raise DataError(f"{place}: id '{query.id}' stands twice; ids must be unique")
        queries[query.id] = query
    if not queries:
        raise DataError(f"{file}: holds no queries")
    return list(queries.values())


def _authors_queries(file: Path) -> Iterator[tuple[str, Query]]:
    """Yield (`file: id`, query) for each prompt in a file of the authors' answers; its genre is NO_GENRE."""
    for row in read_authors_prompts(file):
        place = f"{file}: {row['id']}"
        yield place, make_record(place, {"genre": NO_GENRE, **row}, Query)
