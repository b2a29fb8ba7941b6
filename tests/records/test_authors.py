"""The authors' files of answers: what is missing or damaged in them, and their prompts as queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coig.errors import DataError
from coig.records.authors import read_authors_answers
from coig.records.query import read_queries

ORIGIN = "wirting_zh_pair_merge_origin_3epoch.json"


def written(file: Path, content: Any, encoding: str = "utf-8") -> Path:
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding)
    return file


def answer(response: Any, prompt: Any = "写诗") -> dict[str, Any]:
    return {"prompt": prompt, "my_response": response}


def test_null_is_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = written(tmp_path / ORIGIN, {"1": answer(None), "2": answer("雨"), "3": answer("")})
    assert [(one.query_id, one.answer) for one in read_authors_answers([file])] == [("zh-2", "雨"), ("zh-3", "")]
    assert "1 of 3 answers are missing (null)" in caplog.text


def test_a_lone_surrogate_is_replaced_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = '"1": {"prompt": "a\\ud800", "my_response": "\\ud83d\\ude00 \\udc00"}'
    file = written(tmp_path / ORIGIN, f'{{{broken}, "2": {{"prompt": "b", "my_response": "\ufffd"}}}}')
    one, _ = read_authors_answers([file])
    assert (one.query, one.answer) == ("a\ufffd", "😀 \ufffd")
    assert "1 of 2 answers hold damaged characters" in caplog.text


def test_a_byte_order_mark_and_a_file_named_twice(tmp_path: Path) -> None:
    file = written(tmp_path / ORIGIN, {"1": answer("雨")}, "utf-8-sig")
    (tmp_path / "sub").mkdir()
    assert len(read_authors_answers([file, tmp_path / "sub" / ".." / ORIGIN])) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no answers in the file"),
        ({"1": answer(None)}, "no answers in the file; every one is null"),
        ({"1": answer(5)}, "prompt and my_response must be texts"),
        ({"1": answer("雨", None)}, "prompt and my_response must be texts"),
        ([], "no answers of the authors' shape"),
    ],
)
def test_what_is_no_file_of_answers(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_authors_answers([written(tmp_path / ORIGIN, content)])


@pytest.mark.parametrize("indent", [None, 2])
def test_their_prompts_are_queries(tmp_path: Path, indent: int | None) -> None:
    content = json.dumps({"7": answer("雨"), "8": answer(None, "写一篇散文\n")}, indent=indent)
    queries = read_queries(written(tmp_path / "prompts_zh.json", content, "utf-8-sig"))
    assert [(one.id, one.lang, one.genre, one.query) for one in queries] == [
        ("zh-7", "zh", "none", "写诗"),
        ("zh-8", "zh", "none", "写一篇散文"),
    ]


def test_their_prompts_need_a_language(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no language"):
        read_queries(written(tmp_path / "origin.json", {"7": answer("雨")}))
