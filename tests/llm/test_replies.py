"""What is read from a reply, and what is not."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from coig.llm.replies import UnreadableError, describe_form, read_reply, response_format


class Verdict(BaseModel):
    verdict: Literal["A", "B", "tie"]


class Scores(BaseModel):
    quality: Literal[0, 1, 2] = Field(alias="content quality")
    weight: float


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"verdict": "A"}', "A"),
        ('Here it is:\n```json\n{"verdict": "Tie"}\n```', "tie"),
        ('{"verdict": "B", "reason": "livelier"} I repeat: {"verdict": "b"}', "B"),
        ("**Verdict**: b.", "B"),
        ("verdict：A", "A"),
        ('{not JSON}\n"verdict": "tie"', "tie"),
        ('<think>{"verdict": "A"} or not</think>\n{"verdict": "B"}', "B"),
        ('{"verdict": "A"} is wrong</think>{"verdict": "B"}', "B"),  # the prompt ended with <think>
    ],
)
def test_a_verdict_is_read(text: str, verdict: str) -> None:
    assert read_reply(text, Verdict).verdict == verdict


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object and no marked line"),
        ("A", "no JSON object and no marked line"),
        ("I prefer answer A.", "no JSON object and no marked line"),
        ("verdict: A is a little better", "verdict: Input should be"),
        ('{"verdict": "C"}', "verdict: Input should be"),
        ('{"winner": "A"}', "verdict: Field required"),
        ('{"verdict": "A"} {"verdict": "B"}', "two different things"),
        ("verdict: A\nverdict: B", "no marked line"),
        ('<think>{"verdict": "A"}', "no JSON object and no marked line"),  # reasoning that was cut off
        ("__import__('os').abort()", "no JSON object and no marked line"),
    ],
)
def test_a_reply_that_says_no_verdict_is_unreadable(text: str, problem: str) -> None:
    with pytest.raises(UnreadableError, match=problem):
        read_reply(text, Verdict)


def test_fields_with_blanks_and_numbers() -> None:
    for text in ('{"content quality": "2", "weight": 0.5}', "Content quality: 2\n- weight: 0.5"):
        scores = read_reply(text, Scores)
        assert (scores.quality, scores.weight) == (2, 0.5)


def test_the_form_of_a_reply_is_described_with_its_choices() -> None:
    assert describe_form("schema", Verdict, "en").endswith('{"verdict": "A" | "B" | "tie"}')
    assert describe_form("json", Verdict, "zh").startswith("只输出一个 JSON 对象")
    assert describe_form("lines", Scores, "en").splitlines()[1:] == ["content quality: 0 | 1 | 2", "weight: <number>"]
    assert response_format("lines", Verdict) is None
    schema = response_format("schema", Scores)
    assert schema is not None
    assert schema["json_schema"]["schema"]["required"] == ["content quality", "weight"]
