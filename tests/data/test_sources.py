"""The published shapes, on records of our own."""

from typing import Any

import pytest

from coig.data import sources
from coig.data.examples import Example, example_of
from coig.text.cleaning import Row
from tests.conftest import SHARED
from tests.data.reading import read

THOUGHT = "<|begin_of_thought|>\n\n想\n\n<|end_of_thought|>\n\n"
SOLUTION = "<|begin_of_solution|>\n\n答\n\n<|end_of_solution|>"


def turns(user: str, assistant: str, role: str = "user") -> Row:
    messages = [{"from": role, "value": user}, {"from": "assistant", "value": assistant}]
    return {"system": "Write <|begin_of_thought|> …", "conversations": messages}


def example(fields: Row) -> Example:
    return example_of(fields, source="rows", lang="zh")


@pytest.mark.parametrize(
    ("shape", "row", "genre"),
    [
        ("coig_writer", {"id": "7", "query": "问", "thought": "想", "answer": "答\n"}, None),
        (
            "coig_writer",
            {"query_type": "诗歌 (Poetry)", "query": "问", "thought": "想", "answer": "答"},
            "诗歌 (Poetry)",
        ),
        (
            "coig_writer",
            {
                "reverse_inspiration_prompt": "问",
                "reasoning_process": "想",
                "article": "答",
                "metadata": {"genre": "poetry", "quality_score": 9},
            },
            "poetry",
        ),
        ("ours", {"prompt": "问", "reasoning": "想", "answer": "答", "genre": "poetry"}, "poetry"),
        (
            "r1_distill",
            {"input": "问", "reasoning_content": "想", "content": "答", "repo_name": "xhs/xhs", "score": 9},
            "xhs/xhs",
        ),
        ("r1_distill", {"instruction": "问", "input": "", "output": "<think>\n想\n</think>\n\n答"}, None),
        ("openthoughts", turns("问", THOUGHT + SOLUTION), None),
        (
            "openthoughts",
            {"problem": "问", "deepseek_reasoning": "想", "deepseek_solution": "答", "domain": "math"},
            "math",
        ),
        ("gsm8k", {"question": "问", "answer": "想\n#### 答"}, None),
    ],
)
def test_published_shapes(shape: str, row: Row, genre: str | None) -> None:
    for function in (getattr(sources, shape), sources.local):
        one = example(function(row))
        assert (one.prompt, one.reasoning, one.answer, one.genre, one.system) == ("问", "想", "答", genre, None)


@pytest.mark.parametrize(
    ("shape", "row", "reason"),
    [
        ("coig_writer", {"query": "q", "answer": "a"}, "missing thought"),
        ("r1_distill", {"instruction": "q", "output": "<think>想，答"}, "no <think> … </think> at the beginning"),
        ("openthoughts", turns("q", SOLUTION), r"no <\|begin_of_thought\|> … <\|end_of_thought\|> at the beginning"),
        ("openthoughts", turns("q", THOUGHT + "答"), r"no <\|begin_of_solution\|>"),
        ("openthoughts", turns("q", THOUGHT + SOLUTION, role="human"), "not one message of user and one of assistant"),
        ("openthoughts", {"conversations": None}, "not one message of user"),
        ("gsm8k", {"question": "q", "answer": "42"}, "answer: no '#### '"),
        ("plain_text", {"body": "…"}, "missing text"),
        ("local", {"a": 1}, r"unknown shape \(keys a\); name its columns"),
        ("local", {"query": "q", "answer": "a"}, "missing thought"),
    ],
)
def test_a_row_of_another_shape(shape: str, row: Row, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        getattr(sources, shape)(row)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reasoning": ""}, "reasoning: empty"),
        ({"reasoning": None}, "reasoning: empty"),
        ({"prompt": " \n"}, "prompt: empty"),
        ({"reasoning": 3}, "reasoning: not a text"),
        ({"reasoning": "t</think>"}, "reasoning: holds '</think>'"),
        ({"answer": "\ud83d"}, "answer: damaged characters"),
        ({"id": "\ud83d"}, "id: damaged characters"),
        ({"system": 5}, "system: not a text"),
        ({"lang": "fr"}, "lang: 'fr' is none of zh, en"),
    ],
)
def test_fields_that_cannot_be_used(fields: Row, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        example({"prompt": "q", "reasoning": "t", "answer": "a"} | fields)


def test_gsm8k_loses_its_calculator_marks() -> None:
    one = example(sources.gsm8k({"question": "How many?", "answer": "He sold 48/2 = <<48/2=24>>24 clips.\n#### 24"}))
    assert (one.reasoning, one.answer) == ("He sold 48/2 = 24 clips.", "24")


@pytest.mark.parametrize("row", [{"text": "一段文字"}, {"raw_content": "一段文字", "meta": "{}"}])
def test_plain_text_is_all_answer(row: Row) -> None:
    one = example(sources.plain_text(row))
    assert one.is_document
    assert (one.prompt, one.reasoning, one.answer) == ("", "", "一段文字")
    assert example(sources.plain_text({"body": "x"}, column="body")).answer == "x"


def test_the_published_gsm8k_file() -> None:
    file = SHARED / "general" / "gsm8k_train.jsonl"
    if not file.exists():
        pytest.skip("../shared/general is not beside this checkout")
    examples = read(str(file), "gsm8k")
    assert len(examples) == 7473
    assert (examples[0].answer, examples[0].lang, examples[0].source) == ("72", "en", "gsm8k")
    assert not any("<<" in one.reasoning for one in examples)


def fields(**more: Any) -> Row:
    return {"frage": "q", "weg": "r", "text": "a"} | more


def test_columns_of_the_users_own() -> None:
    columns = {"prompt": "frage", "reasoning": "weg", "answer": "text", "score": "note"}
    named = sources.by_columns(fields(note=3, lang="en"), columns)
    assert named == {"prompt": "q", "reasoning": "r", "answer": "a", "score": 3, "lang": "en"}
    with pytest.raises(ValueError, match="missing note"):
        sources.by_columns(fields(), columns)
    with pytest.raises(ValueError, match="missing prompt, reasoning"):
        sources.by_columns(fields(), {"answer": "text"})
