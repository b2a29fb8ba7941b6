"""Judgments as the page and the judges will write them: which of them count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from coig.evaluation.preferences import tabulate_preferences
from coig.evaluation.preferences.judgments import collect_judgments, tabulate_judgments
from coig.records.judgment import Judgment
from coig.records.record import append_records
from coig.study.find import find_arms, make_roster
from coig.study.raters import hide_raters
from tests.studies import make_arm


def judged(number: int, **fields: Any) -> Judgment:
    about = {"id": f"j{number}", "query_id": f"q{number}", "lang": "zh", "rater": "Ann", "study": "s"}
    ranking = {"kind": "ranking", "arms": ["cw", "general"], "value": [1, 2]}
    return Judgment.model_validate(about | ranking | fields)


def test_rankings_of_a_study_become_win_rates(tmp_path: Path) -> None:
    """All that a later part needs: write rankings, read win rates."""
    for name, ratio in {"cw": "0", "general": "general"}.items():
        make_arm(tmp_path / "s" / name, ratio=ratio)
    file = tmp_path / "s" / "judgments" / "judge.jsonl"
    append_records(file, [judged(number) for number in range(8)])
    arms = make_roster(find_arms(tmp_path / "s", None)).names
    judgments = tabulate_judgments(collect_judgments([file], "s", set(arms), {}), arms, {})
    [row, _] = tabulate_preferences(judgments, None, arms)["win_rates"].to_dicts()
    assert (row["arm"], row["opponent"], row["rate"], row["verdicts"]) == ("cw", "general", 1.0, 8)


def test_a_ranking_of_the_best_compares_them_with_the_others_only() -> None:
    best = judged(1, arms=["a", "b", "c", "d"], value=[3, 1, 1, 3], placed=2)
    assert sorted(best.pairs()) == [("a", "b", 0.0), ("a", "c", 0.0), ("b", "c", 0.5), ("b", "d", 1.0), ("c", "d", 1.0)]
    with pytest.raises(ValidationError, match="placed"):
        judged(1, arms=["a", "b", "c"], value=[1, 1, 2], placed=1)


@pytest.mark.parametrize("number", [10**400, float("nan"), float("inf"), True])
def test_ranks_and_ratings_are_numbers_that_fit_a_float(number: Any) -> None:
    for fields in ({"value": [1, number]}, {"kind": "rating", "arms": ["cw"], "value": {"quality": number}}):
        with pytest.raises(ValidationError, match="value"):
            judged(1, **fields)


def test_what_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "judgments.jsonl"
    abstention = {"kind": "abstention", "value": "both answers are empty"}
    append_records(
        file,
        [
            judged(1),
            judged(1),  # the same id
            judged(2),
            judged(3, query_id="q2", supersedes="j2", value=[2, 1]),
            judged(4, check="repeat"),
            judged(5, **abstention),
            judged(6, failure="the reply was no ranking", value=""),
            judged(7),
            judged(8, query_id="q7", supersedes="j7", **abstention),  # taken back, and nothing in its place
        ],
    )
    counted = collect_judgments([file], "s", None, {})
    assert [(one.id, one.value) for one in counted] == [("j1", [1.0, 2.0]), ("j3", [2.0, 1.0])]


def test_a_torn_line_is_removed_before_the_next_one_is_written(tmp_path: Path) -> None:
    file = tmp_path / "judgments.jsonl"
    append_records(file, [judged(1)])
    file.write_bytes(file.read_bytes() + b'{"id": "j2", "que')
    append_records(file, [judged(3)])
    assert [one.id for one in collect_judgments([file], "s", None, {})] == ["j1", "j3"]


def test_people_go_by_pseudonyms_that_stay(tmp_path: Path) -> None:
    judgments = [judged(1), judged(2, rater="Bob"), judged(3, rater="gpt-5", source="judge")]
    shown = [one.rater for one in hide_raters(judgments, tmp_path)]
    assert shown[2] == "gpt-5"
    assert not {"Ann", "Bob"} & set(shown)
    assert len(set(shown)) == 3
    assert [one.rater for one in hide_raters(judgments, tmp_path)] == shown
    assert [one.rater for one in hide_raters(hide_raters(judgments, tmp_path), tmp_path)] == shown
    (tmp_path / "other").mkdir()
    assert {one.rater for one in hide_raters(judgments, tmp_path / "other")} & set(shown) == {"gpt-5"}
