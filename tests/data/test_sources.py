import json
from pathlib import Path
from typing import Any

import pytest

from coig.data.examples import DataError
from coig.data.sources import local
from tests.conftest import SHARED


def written(folder: Path, rows: list[Any], *, array: bool = False, name: str = "rows") -> str:
    file = folder / (f"{name}.json" if array else f"{name}.jsonl")
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("[" + ",".join(lines) + "]" if array else "\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize(
    ("row", "genre"),
    [
        ({"id": "7", "query": "问", "thought": "想", "answer": "答\n"}, None),
        ({"query_type": "诗歌 (Poetry)", "query": "问", "thought": "想", "answer": "答"}, "诗歌 (Poetry)"),
        (
            {
                "reverse_inspiration_prompt": "问",
                "reasoning_process": "想",
                "article": "答",
                "metadata": {"genre": "poetry", "quality_score": 9},
            },
            "poetry",
        ),
        ({"prompt": "问", "reasoning": "想", "answer": "答", "genre": "poetry"}, "poetry"),
        ({"input": "问", "reasoning_content": "想", "content": "答", "repo_name": "xhs/xhs", "score": 9}, "xhs/xhs"),
        ({"question": "问", "answer": "想\n#### 答"}, None),
    ],
)
def test_published_shapes(tmp_path: Path, row: dict[str, Any], genre: str | None, array: bool) -> None:
    [example] = local(written(tmp_path, [row], array=array), lang="zh", kind="creative")
    assert (example.prompt, example.reasoning, example.answer, example.genre) == ("问", "想", "答", genre)
    assert (example.source, example.kind, example.lang) == ("rows", "creative", "zh")


def test_gsm8k_loses_its_calculator_marks(tmp_path: Path) -> None:
    row = {"question": "How many?", "answer": "He sold 48/2 = <<48/2=24>>24 clips.\n#### 24"}
    [example] = local(written(tmp_path, [row]), lang="en", kind="general")
    assert (example.reasoning, example.answer) == ("He sold 48/2 = 24 clips.", "24")


def test_columns_of_the_users_own(tmp_path: Path) -> None:
    file = written(tmp_path, [{"frage": "q", "weg": "r", "text": "a"}])
    columns = {"prompt": "frage", "reasoning": "weg", "answer": "text"}
    [example] = local(file, lang="en", kind="general", columns=columns)
    assert (example.prompt, example.reasoning, example.answer) == ("q", "r", "a")


def test_columns_name_our_fields(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"columns: question: map our names"):
        local(written(tmp_path, [{"question": "q"}]), lang="en", kind="general", columns={"question": "prompt"})


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    for text in ('{"query": "q", "thought": "t", "answer": "a"}', '[{"query": "q", "thought": "t", "answer": "a"}]'):
        file = tmp_path / "rows.json"
        file.write_text(text + "\r\n", encoding="utf-8-sig", newline="")
        assert local(str(file), lang="zh", kind="creative")[0].prompt == "q"


def test_rows_without_an_id_keep_theirs_when_the_file_is_reordered(tmp_path: Path) -> None:
    rows = [{"query": f"q{n}", "thought": "t", "answer": "a"} for n in range(5)]
    ids = {e.prompt: e.id for e in local(written(tmp_path, rows), lang="zh", kind="creative")}
    again = local(written(tmp_path, rows[::-1]), lang="zh", kind="creative")
    assert {e.prompt: e.id for e in again} == ids
    assert len(set(ids.values())) == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"query": "q", "thought": "t"', "no JSON"),
        ('{"query": "q", "answer": "a"}', "missing thought"),
        ('{"query": "q", "thought": "", "answer": "a"}', "reasoning: empty"),
        ('{"query": " ", "thought": "t", "answer": "a"}', "prompt: empty"),
        ('{"query": "q", "thought": 3, "answer": "a"}', "reasoning: not a text"),
        ('{"query": "q", "thought": "t</think>", "answer": "a"}', "reasoning: holds '</think>'"),
        ('{"query": "q", "thought": "t", "answer": "\\ud83d"}', "answer: damaged characters"),
        ('{"question": "q", "answer": "42"}', "answer: no '#### '"),
        ('{"a": 1}', "unknown shape (keys a)"),
        ("[1]", "not an object but list"),
        ("9" * 5000, "JSON that cannot be read"),
        ('{"prompt": "q", "reasoning": "t", "answer": "a", "system": 5}', "system: not a text"),
        ('{"id": "\\ud83d", "query": "q", "thought": "t", "answer": "a"}', "id: damaged characters"),
        ('{"prompt": "q", "reasoning": "t", "answer": "a", "lang": "fr"}', "lang: 'fr' is none of zh, en"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"query": "q", "thought": "t", "answer": "a"}\n\n' + line + "\n")
    with pytest.raises(DataError) as error:
        local(str(file), lang="zh", kind="creative")
    assert f"1 of 2 rows of {file} cannot be used" in str(error.value)
    assert f"{file}:3: {reason}" in str(error.value)


def test_bytes_that_are_no_utf8_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes('{"query": "问", "thought": "t", "answer": "a"}\n'.encode("gbk"))
    with pytest.raises(DataError, match=r"rows\.jsonl:1: prompt: damaged characters"):
        local(str(file), lang="zh", kind="creative")


def test_a_cut_off_array_is_named(tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    file.write_text('[{"query": "q",\n "thought": "t"')
    with pytest.raises(DataError, match=r"all.json:2: damaged JSON array"):
        local(str(file), lang="zh", kind="creative")


def test_many_damaged_rows_are_counted_and_the_first_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"9 of 9 rows(.|\n)*rows.jsonl:5: (.|\n)*and 4 more"):
        local(written(tmp_path, [3] * 9), lang="zh", kind="creative")


def test_the_published_gsm8k_file() -> None:
    file = SHARED / "general" / "gsm8k_train.jsonl"
    if not file.exists():
        pytest.skip("../shared/general is not beside this checkout")
    examples = local(str(file), lang="en", kind="general")
    assert len(examples) == 7473
    assert examples[0].answer == "72"
    assert not any("<<" in example.reasoning for example in examples)
