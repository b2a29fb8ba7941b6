"""What judges' records say, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coig.errors import DataError
from coig.evaluation.preferences.judges import read_yardstick_verdicts, tabulate_judges
from coig.evaluation.preferences.judgments import collect_judgments
from coig.records.judgment import Judgment
from coig.records.record import append_records
from tests.evaluation.judge_records import FACTS, call

PAIR = ("cw", "general")


def test_both_orders_of_a_pair_count_half_each() -> None:
    calls = [call("q", "zh", PAIR, "a", soft=0.9), call("q", "zh", PAIR[::-1], "a", soft=0.7)]
    found = tabulate_judges(calls, PAIR, {"q": "poetry"})
    assert found.calls.select("arm", "opponent", "score", "soft", "arm_first").rows() == [
        ("cw", "general", 1.0, 0.9, True),
        ("cw", "general", 0.0, pytest.approx(0.3), False),
    ]
    assert found.by_pair().select("score", "soft").rows() == [(0.5, pytest.approx(0.6))]


def test_a_verdict_without_log_probabilities_is_its_own_soft_verdict() -> None:
    found = tabulate_judges([call("q", "zh", PAIR, "tie"), call("q", "zh", PAIR[::-1], "b")], PAIR, {})
    assert found.by_pair().select("score", "soft").rows() == [(1.0, 0.75)]


def test_rankings_of_a_latin_square_are_averaged() -> None:
    arms = ("a", "b", "c")
    rows: list[dict[str, Any]] = [
        {"order": ("a", "b", "c"), "arms": ("a", "b", "c"), "value": [1, 2, 3], "id": "1"},
        {"order": ("b", "c", "a"), "arms": ("b", "c", "a"), "value": [1, 2, 3], "id": "2"},
        {"order": ("c", "a", "b"), "arms": ("c", "a", "b"), "value": [1, 2, 3], "id": "3"},
    ]
    shared = {"query_id": "q", "lang": "en", "kind": "ranking", "rater": "j", "source": "judge", "judge": FACTS}
    found = tabulate_judges([Judgment.model_validate(shared | row) for row in rows], arms, {})
    assert dict(found.by_pair().select("opponent", "soft").rows()[:1]) == {"b": pytest.approx(2 / 3)}
    assert found.judges["asked"].to_list() == ["ranking"]


def test_ratings_compare_arms_by_the_difference_of_their_means() -> None:
    shared = {"query_id": "q", "lang": "en", "kind": "rating", "rater": "j", "source": "judge"}
    rated = [("a", {"plot": 3, "style": 1}), ("b", {"plot": 1, "style": 1}), ("c", {"plot": 2, "style": 2})]
    rows = [Judgment.model_validate(shared | {"arms": (arm,), "value": value}) for arm, value in rated]
    found = tabulate_judges(rows, ("a", "b", "c"), {})
    assert found.calls.select("arm", "opponent", "score").rows() == [("a", "b", 1), ("a", "c", 0.5), ("b", "c", 0)]
    assert found.calls["soft"].to_list() == pytest.approx([1 / (1 + 2.718281828**-1), 0.5, 1 / (1 + 2.718281828)])


def test_probes_and_repeats() -> None:
    records = [
        call("q", "zh", PAIR, "a"),
        call("q", "zh", PAIR, "b", check="repeat"),
        call("q", "zh", PAIR[::-1], "b", check="repeat"),  # the other order was not asked before
        call("q", "zh", ("cw", "identical"), "tie", check="identical"),
        call("q", "zh", ("cw", "halved"), "a", check="halved"),
        call("q", "zh", ("cw", "halved"), "tie", check="halved", order=("halved", "cw")),
        call("q", "zh", ("cw", "empty"), "", check="empty", failure="no JSON"),
    ]
    probes = tabulate_judges(records, PAIR, {}).probes.sort("check", "right")
    assert probes.select("check", "right").rows() == [
        ("halved", 0.5),
        ("halved", 1.0),
        ("identical", 1.0),
        ("repeat", 0.0),
    ]


def test_failures_are_no_verdicts_and_are_counted() -> None:
    failed = call("q", "zh", PAIR, "", failure="no JSON", attempts=3)
    again = call("q", "zh", PAIR[::-1], "a", attempts=2)
    found = tabulate_judges([failed, again], PAIR, {})
    assert len(found.calls) == 1
    assert found.predictors()["soft"].to_list() == [0.0]
    in_vain = tabulate_judges([failed, failed.model_copy(update={"order": PAIR[::-1]})], PAIR, {})
    assert in_vain.by_pair().is_empty()
    assert in_vain.predictors()["soft"].to_list() == [0.5]
    counts = found.asked.group_by("arm").agg(pl.col("attempts", "unread", "failed").sum()).drop("arm").rows()
    assert counts == [(5, 4, 1), (5, 4, 1)]


def test_a_changed_judge_is_another_judge() -> None:
    changed = call("q", "zh", PAIR[::-1], "a", judge="qwen").model_copy(update={"judge": None})
    with pytest.raises(DataError, match=r"qwen is two judges, .*another judge, so give its records another rater"):
        tabulate_judges([call("q", "zh", PAIR, "a"), changed], PAIR, {})


def test_of_two_lines_with_one_id_the_last_counts(tmp_path: Path) -> None:
    file = tmp_path / "qwen.jsonl"
    append_records(file, [call("q", "zh", PAIR, "", failure="no JSON"), call("q", "zh", PAIR, "a", attempts=2)])
    [one] = collect_judgments([file], "s", set(PAIR), {})
    assert (one.failure, one.value, one.attempts) == (None, "a", 2)


def test_checks_name_no_arm_of_the_study(tmp_path: Path) -> None:
    file = tmp_path / "qwen.jsonl"
    append_records(file, [call("q", "zh", ("cw", "shuffled"), "a", check="shuffled")])
    assert len(collect_judgments([file], "s", set(PAIR), {})) == 1
    append_records(file, [call("q", "zh", ("cw", "shuffled"), "a")])
    with pytest.raises(DataError, match=r"qwen\.jsonl:2: arm 'shuffled' is not in this study"):
        collect_judgments([file], "s", set(PAIR), {})


def test_a_yardstick_has_a_chosen_and_a_rejected_answer(tmp_path: Path) -> None:
    assert read_yardstick_verdicts([]) is None
    file = tmp_path / "qwen.jsonl"
    append_records(file, [call("w1", "en", ("chosen", "rejected"), "a"), call("w1", "en", ("rejected", "chosen"), "b")])
    found = read_yardstick_verdicts([file])
    assert found is not None
    assert found.by_pair()["score"].to_list() == [1.0]
    append_records(file, [call("w2", "en", ("chosen", "cw"), "a")])
    with pytest.raises(DataError, match=r"qwen\.jsonl:3: a yardstick's arms are chosen and rejected, not chosen, cw"):
        read_yardstick_verdicts([file])
