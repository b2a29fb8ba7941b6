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
        ("openthoughts", turns("q", SOLUTION), r"no <\|begin_of_thought\|> … <\|end_of_thought\|> at the beginning"),
        ("openthoughts", turns("q", THOUGHT + "答"), r"no <\|begin_of_solution\|>"),
        ("openthoughts", turns("q", THOUGHT + SOLUTION, role="system"), "not one message of user and one of assistant"),
        ("openthoughts", {"conversations": None}, "not a list of messages"),
        ("gsm8k", {"question": "q", "answer": "42"}, "answer: no '#### '"),
        ("plain_text", {"body": "…"}, "missing text"),
        ("local", {"a": 1}, r"unknown shape \(keys a\); name its columns"),
        ("local", {"query": "q", "thought": "t"}, "missing answer"),
    ],
)
def test_a_row_of_another_shape(shape: str, row: Row, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        getattr(sources, shape)(row)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": " \n"}, "prompt: empty"),
        ({"reasoning": 3}, "reasoning: not a text"),
        ({"reasoning": "t</think>u"}, "reasoning: holds '</think>'"),
        ({"answer": "<think>想，答"}, "answer: its '<think>' has no '</think>'"),
        ({"answer": "<think>u</think>a"}, "answer: its think block is another text than the reasoning"),
        ({"answer": "t</think>"}, "answer: empty behind its think block"),
        ({"answer": "a<think>t</think>a"}, "answer: a think block that is not at its beginning"),
        ({"answer": "<think>t</think><think>t</think>a"}, "answer: a think block .* or a second one"),
        ({"answer": [{"type": "image_url"}]}, "answer: a part of type image_url; only texts are read"),
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
    with pytest.raises(ValueError, match="missing prompt"):
        sources.by_columns(fields(), {"answer": "text"})


def test_alpacas_input_belongs_to_a_named_instruction() -> None:
    row = {"instruction": "q", "input": "i", "cot": "r", "output": "a"}
    columns = {"prompt": "instruction", "reasoning": "cot", "answer": "output"}
    assert example(sources.by_columns(row, columns)).prompt == "q\n\ni"
    with pytest.raises(ValueError, match="input: belongs to the prompt"):
        sources.by_columns(row | {"frage": "q"}, columns | {"prompt": "frage"})


def chat(*texts: str, **of_the_answer: Any) -> list[Row]:
    """Return messages of user and assistant in turn."""
    turn = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
    return [*turn[:-1], turn[-1] | of_the_answer]


@pytest.mark.parametrize("thought", ["<think>\n想\n</think>\n\n答", "想\n</think>\n\n答", "<think>想</think>答"])
@pytest.mark.parametrize(
    "row",
    [
        lambda text: {"messages": chat("问", text)},
        lambda text: {"conversations": [{"from": "human", "value": "问"}, {"from": "gpt", "value": text}]},
        lambda text: {"prompt": "问", "completion": text},
        lambda text: {"prompt": chat("问"), "completion": chat("", text)[1:]},
        lambda text: {"prompt": "问", "reasoning": "<think>\n想\n</think>", "answer": text},
        lambda text: {"instruction": "问", "input": "", "output": text, "history": []},
        lambda text: {"question": "问", "answer": text},
    ],
)
def test_a_think_block_is_split_off_whatever_the_shape(row: Any, thought: str) -> None:
    one = example(sources.local(row(thought)))
    assert (one.prompt, one.reasoning, one.answer) == ("问", "想", "答")


@pytest.mark.parametrize(
    "row",
    [
        {"messages": chat("问", "答", reasoning_content="想")},
        {"messages": [{"role": "system", "content": "s"}, *chat("问", "答", reasoning="想")]},
        {"prompt": [{"type": "text", "text": "问"}], "reasoning": "想", "answer": "答"},
        {"question": "问", "reasoning": "想", "answer": "答"},
        {"instruction": "问", "response": "答", "cot": "想"},
        {"prompt": None, "conversations": None, "question": "问", "answer": "想\n#### 答"},
        {"conversations": turns("问", THOUGHT + SOLUTION)["conversations"], "system": "Write <|begin_of_thought|>"},
    ],
)
def test_shapes_that_people_have(row: Row) -> None:
    one = example(sources.local(row))
    assert (one.prompt, one.reasoning, one.answer) == ("问", "想", "答")
    assert one.system == ("s" if len(row.get("messages", [])) == 3 else None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": chat("q", "a", "q", "a")}, "messages: several turns"),
        ({"messages": chat("q", "", tool_calls=[{"function": {}}])}, "messages: tool calls"),
        ({"messages": [*chat("q", "a"), {"role": "tool", "content": "4"}]}, "messages: tool calls"),
        ({"messages": chat("q")}, "messages: not one message of user and one of assistant"),
        ({"instruction": "q", "output": "a", "history": [["q", "a"]]}, "history: several turns"),
        ({"question": "q", "answer": "a", "context": "c"}, "context: belongs to the prompt"),
        ({"prompt": "q", "answer": "a", "input": "i"}, "input: belongs to the prompt"),
        ({"question": "q", "query": "q", "answer": "a"}, "question and query: which of them is read"),
        ({"text": "t"}, "documents are read by the source plain_text"),
    ],
)
def test_columns_that_would_be_lost_are_refused(row: Row, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sources.local(row)


def test_a_system_message_of_any_shape_is_used() -> None:
    for row in ({"instruction": "q", "output": "a"}, {"question": "q", "answer": "a"}, {"messages": chat("q", "a")}):
        assert example(sources.local(row | {"system": "s"})).system == "s"
    with pytest.raises(ValueError, match="system: another text than the system message of messages"):
        sources.local({"messages": [{"role": "system", "content": "s"}, *chat("q", "a")], "system": "t"})


@pytest.mark.parametrize("name", ["zh-CN", "zh_Hans", "ZH", "Chinese", "中文", "zho", "cmn-Hans-CN"])
def test_names_of_a_language(name: str) -> None:
    assert example({"prompt": "q", "reasoning": "t", "answer": "a", "lang": name}).lang == "zh"
    assert example({"prompt": "q", "answer": "a", "lang": None}).lang == "zh"  # the source's


@pytest.mark.parametrize("name", ["EN", "en-US", "English", "eng"])
def test_names_of_english(name: str) -> None:
    assert example({"prompt": "q", "reasoning": "t", "answer": "a", "lang": name}).lang == "en"


def test_lines_end_alike_wherever_a_file_was_written() -> None:
    texts = {"prompt": "a\r\nb", "reasoning": "a\rb", "answer": "a\r\n\r\nb"}
    one = example(texts)
    assert (one.prompt, one.reasoning, one.answer) == ("a\nb", "a\nb", "a\n\nb")
