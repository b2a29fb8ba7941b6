"""What a reader is told of missing answers and of incomplete designs."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from coig.errors import DataError
from coig.evaluation.findings.caveats import (
    notes_on_answers,
    notes_on_cut_off_answers,
    notes_on_damage,
    notes_on_engines,
    notes_on_failures,
    notes_on_judgments,
)
from coig.evaluation.preferences.judgments import RATING, VERDICT, Judgments
from coig.records.answer import Answer, EngineFacts
from coig.records.authors import read_authors_answers
from tests.studies import make_answer


def test_missing_answers_are_said_of_arms_of_others_too() -> None:
    rows = [("cw", "1"), ("cw", "2"), ("theirs", "1")]
    answers = pl.DataFrame(rows, schema=["arm", "query_id"], orient="row")
    answers = answers.with_columns(queries=pl.lit(None, pl.String))
    expected = ["theirs has answered 1 of 2 queries: its figures are not comparable with the others'."]
    assert notes_on_answers(answers, {}) == expected
    assert notes_on_answers(answers, {"cw": 0}) == expected


def test_damaged_characters_are_counted_by_arm() -> None:
    """Half a character at the end of an answer that was cut off is none."""
    rows = [
        ("cw", "a\ufffdb", None),
        ("cw", "at its end \ufffd", None),
        ("cw", "cut off \ufffd", False),
        ("general", "\ufffd, then cut off \ufffd", False),
        ("general", "whole", True),
    ]
    answers = pl.DataFrame(rows, schema=["arm", "answer", "finished"], orient="row")
    assert notes_on_damage(answers) == ["Answers with damaged characters, shown as \ufffd: cw 2, general 1."]
    assert notes_on_damage(answers.tail(1)) == []


def test_of_many_arms_the_worst_are_named() -> None:
    rows = [(f"cw-s{seed}", "\ufffd!", True) for seed in range(9) for _ in range(1 + seed)]
    [note] = notes_on_damage(pl.DataFrame(rows, schema=["arm", "answer", "finished"], orient="row"))
    assert note.endswith("\ufffd: cw-s8 9, cw-s7 8, cw-s6 7, cw-s5 6, cw-s4 5, and 4 more arms.")


def answer(arm: str, query_id: str, *, failed: bool = False, not_obeyed: tuple[str, ...] = ()) -> Answer:
    """An answer as `generate.py` writes it."""
    return Answer(
        **{"query_id": query_id, "lang": "zh", "genre": "poem", "query": "写", "arm": arm, "seed": 0, "sampling": {}},
        **{"reasoning": "", "answer": "雨", "answer_tokens": 1, "finish_reason": "error" if failed else "stop"},
        engine=EngineFacts(name="e", not_obeyed=not_obeyed),
    )


def test_queries_that_failed_in_every_arm_are_said() -> None:
    answered = {
        "sample": {
            "cw": [answer("cw", query, failed=True) for query in "abc"],
            "general": [answer("general", query, failed=query != "a") for query in "abc"],
        },
        "held_out": {"cw": [answer("cw", "d")]},
    }
    assert notes_on_failures(answered) == [
        "2 queries of sample failed in every arm and are left out, b for example: generate.py asks for them again."
    ]


def test_many_answers_that_were_cut_off_are_said() -> None:
    def answers(arm: str, cut_off: int) -> list[Answer]:
        """20 answers, the first of which reached their limit of tokens."""
        reasons = ["length"] * cut_off + ["stop"] * (20 - cut_off)
        return [
            make_answer(arm, f"en-{place}", finish_reason=reason, sampling={"max_new_tokens": 24})
            for place, reason in enumerate(reasons)
        ]

    answered = {"sample": {"cw": answers("cw", 20), "cw+1k": answers("cw+1k", 1), "general": answers("general", 2)}}
    assert notes_on_cut_off_answers(answered) == [
        "Many answers reached sampling.max_new_tokens=24 before they ended: cw 20 of 20, general 2 of 20. "
        "To let them end, give generate.py more tokens and overwrite=true."
    ]


def test_settings_that_were_not_obeyed_are_said_once_with_their_arms() -> None:
    seed, penalty = "seed: the whole server has one", "repetition_penalty: not of the prompt"
    answered = {
        "sample": {
            "cw": [answer("cw", query, not_obeyed=(seed,)) for query in "ab"],
            "general": [answer("general", "a", not_obeyed=(seed, penalty))],
        },
        "held_out": {"cw": [answer("cw", "d", not_obeyed=(seed,))], "cw+1k": [answer("cw+1k", "d")]},
    }
    assert notes_on_engines(answered) == [
        f"Not obeyed in answers of general: {penalty}.",
        f"Not obeyed in answers of cw, general: {seed}.",
    ]


def test_an_incomplete_design_is_one_note() -> None:
    rows = [
        (f"q{query}", "zh", None, arm, "general", rater, 1.0)
        for arm, judged in (("a", 2), ("b", 5), ("c", 9))
        for query in range(judged)
        for rater in ("ann", "bob")
    ]
    judgments = Judgments(pl.DataFrame(rows, schema=VERDICT, orient="row"), pl.DataFrame(), pl.DataFrame(schema=RATING))
    assert notes_on_judgments(judgments, None) == [
        "Chinese queries: 2 of 3 pairs of arms were compared on fewer than all 9 prompts: "
        "on 2 to 5, a and general on 2."
    ]


def test_authors_answers_with_a_mark_of_byte_order_or_half_a_character(tmp_path: Path) -> None:
    file = tmp_path / "x_en_origin.json"
    file.write_text(json.dumps({"1": {"prompt": "p", "my_response": "a\ud83d b"}}), encoding="utf-8-sig")
    [answer] = read_authors_answers([file])
    assert answer.answer == "a\ufffd b"
    file.write_text("{}")
    with pytest.raises(DataError, match="no answers in the file"):
        read_authors_answers([file])
