"""Queries that the base model has seen, so that answers end."""

import pytest

from coig.records.query import Query
from coig.text.language_codes import Language
from tests.data.reading import read


@pytest.fixture(scope="session")
def queries() -> list[Query]:
    langs: tuple[Language, ...] = ("zh", "en")
    problems = [(lang, example) for lang in langs for example in read(f"sample:general_{lang}.jsonl")[:8]]
    return [Query(id=example.id, lang=lang, genre="problem", query=example.prompt) for lang, example in problems]
