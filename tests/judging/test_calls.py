"""What a judge is asked, in which orders, and on which texts."""

from __future__ import annotations

from collections import Counter

import pytest

from coig.judging.calls import STEPS_PER_CALL, make_pair_calls, make_ranking_calls, make_step_calls
from coig.judging.probes import make_probes
from coig.records.answer import Answer
from coig.study.items import AnsweredQuery

ARMS = ("cw", "cw+1k", "general")
SENTENCES = {
    "zh": "雨来了。她没有关门。谁也没问。鸟在唱。后来停了。夜深了。",
    "en": "It rained. She left. No one asked. A bird sang. It ended. Night. ",
}


def make_questions(count: int = 4) -> list[AnsweredQuery]:
    return [
        AnsweredQuery(f"{lang}-{n}", lang, "poem", f"Task {n}", {arm: f"{arm} {n}: {SENTENCES[lang]}" for arm in ARMS})
        for lang in ("zh", "en")
        for n in range(count)
    ]


def test_every_pair_is_asked_in_both_orders() -> None:
    calls = make_pair_calls(make_questions())
    orders = Counter(call.order for call in calls)
    assert set(orders.values()) == {8}
    assert set(orders) == {(a, b) for a in ARMS for b in ARMS if a != b}
    assert all(text.startswith(arm) for call in calls for arm, text in zip(call.order, call.case.texts, strict=True))
    assert len({key for call in calls for key in call.digests()}) == len(calls)


def test_fewer_pairs_are_spread_over_the_arms() -> None:
    calls = make_pair_calls(make_questions(3), 1)
    assert Counter(frozenset(call.order) for call in calls) == {
        frozenset(pair): 4 for pair in (ARMS[:2], ARMS[1:], ARMS[::2])
    }


def test_each_answer_stands_in_each_place_of_a_query_once() -> None:
    calls = make_ranking_calls(make_questions(1), seed=0)
    places = Counter((call.query_id, place, arm) for call in calls for place, arm in enumerate(call.order))
    assert len(places) == 2 * 3 * 3
    assert set(places.values()) == {1}


def test_long_reasoning_is_labelled_in_parts() -> None:
    long = "\n\n".join(f"Step number {n} of this long chain of thoughts, which is one sentence." for n in range(25))
    answer = {"query_id": "q", "lang": "en", "query": "Task", "arm": "cw", "reasoning": long, "answer": ""}
    facts = dict.fromkeys(("genre", "answer_tokens", "finish_reason", "seed", "sampling"))
    first, second = make_step_calls([Answer.model_validate(answer | facts)])
    assert len(first.case.texts) == STEPS_PER_CALL
    assert list(second.digests()) == [f"q/cw/{step}" for step in range(20, 25)]


def test_probes_show_an_answer_beside_what_was_made_of_it() -> None:
    questions = make_questions()
    probes = make_probes(questions, make_pair_calls(questions), count=4, seed=0)
    asked = Counter(call.check for call in probes)
    assert asked.pop("identical") == asked.pop("repeat") == 4  # in one order
    assert asked == dict.fromkeys(("empty", "shuffled", "halved", "repeated_text", "cut_off", "wrong_language"), 8)
    by_id = {question.query_id: question for question in questions}
    for call in probes:
        langs = {one.case.lang for one in probes if one.check == call.check}
        assert langs == {"zh", "en"}
        if call.check == "repeat":
            assert "repeat" not in call.order
            continue
        [arm] = call.arms
        shown = dict(zip(call.order, call.case.texts, strict=True))
        made = shown.pop(str(call.check))
        assert shown == {arm: by_id[call.query_id].answers[arm]}
        assert (made == shown[arm]) == (call.check == "identical")
        other = {"zh": "en", "en": "zh"}[call.case.lang]
        assert (SENTENCES[other] in made) == (call.check == "wrong_language")


def test_a_probe_without_answers_that_fit_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    short = [AnsweredQuery("q", "en", None, "Task", {"cw": "Short.", "general": ""})]
    probes = make_probes(short, make_pair_calls(short), count=2, seed=0)
    assert Counter(call.check for call in probes) == {"identical": 1, "empty": 2, "repeat": 1}
    assert {call.arms for call in probes if call.check != "repeat"} == {("cw",)}
    defects = "probes shuffled, halved, repeated_text, cut_off: 0 instead of 2 prompts, as no other prompt has"
    assert f"{defects} an answer of at least 6 sentences, in which any reader would see the defect" in caplog.messages
    assert "probes identical, empty: 1 instead of 2 prompts, as no other prompt has an answer that is not empty" in (
        caplog.messages
    )
