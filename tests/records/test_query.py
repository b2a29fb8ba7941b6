from pathlib import Path

import pytest

from coig.errors import DataError
from coig.records.query import read_queries

GOOD = '{"id": "q1", "lang": "en", "genre": "poetry", "query": "Write."}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD, r"q\.jsonl:2: id 'q1' stands twice"),
        (GOOD.replace("q1", "q2").replace('"en"', '"fr"'), r"q\.jsonl:2: lang: 'fr' is none of zh, en"),
        ('{"id": "q2", "lang": "en"}\n', r"q\.jsonl:2: genre: missing; a query needs id, lang, genre and query"),
        ('{"id": \n', r"q\.jsonl:2: no JSON"),
    ],
)
def test_bad_queries_are_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(GOOD + line)
    with pytest.raises(DataError, match=message):
        read_queries(file)


def test_languages_are_read_as_data_sets_name_them(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    named = ["zh-CN", "Chinese", " EN ", "en_US"]
    file.write_text("".join(GOOD.replace("q1", name).replace('"en"', f'"{name}"') for name in named))
    assert [query.lang for query in read_queries(file)] == ["zh", "zh", "en", "en"]


def test_ids_may_be_numbers_and_queries_a_table(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(GOOD.replace('"q1"', "7.0") + GOOD.replace('"q1"', "8"))
    assert [query.id for query in read_queries(file)] == ["7", "8"]
    table = tmp_path / "q.csv"
    table.write_text("id,lang,genre,query\n007,en,poetry,Write.\n", encoding="utf-8-sig")
    assert [query.id for query in read_queries(table)] == ["007"]
