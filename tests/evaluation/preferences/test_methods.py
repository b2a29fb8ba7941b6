"""The paragraph on how people judged."""

from __future__ import annotations

from typing import Any

from coig.evaluation.preferences.methods import describe_methods, find_flagged
from coig.records.judgment import Judgment
from coig.records.judgment_database import Collected

ARMS = ("cw", "general")


def make_ranking(query: int, rater: str, first: str = "cw", **facts: Any) -> Judgment:
    about = {
        **{"query_id": f"q{query}", "lang": "en", "kind": "ranking", "arms": ARMS, "rater": rater, "order": ARMS},
        **{"value": [1, 2] if first == "cw" else [2, 1], "seconds": 20.0, "characters": 1000},
    }
    return Judgment.model_validate(about | facts)


def make_abstention(query: int, rater: str) -> Judgment:
    return make_ranking(query, rater, kind="abstention", arms=("general",), value="refused: politely")


def test_a_study_with_a_careless_rater() -> None:
    winners = dict(enumerate(["cw", "general"] * 4))
    judgments = [make_ranking(query, rater, first) for query, first in winners.items() for rater in ("a", "b")]
    judgments += [make_abstention(9, "a"), make_ranking(1, "a", seconds=5.0, query_id="q10")]
    for number, care in enumerate((0.0, 0.0, 1.0)):
        judgments.append(make_ranking(number, "b", check="repeated_text", care=care))
    people = Collected(judgments, least=3, flag_below=0.6, practice=True)
    assert find_flagged(people) == ["b"]
    told = describe_methods(people)
    assert told.startswith(
        "2 raters ranked all answers to a query, with ties allowed, blind to the arms, for 9 queries"
    )
    assert "(1.9 raters per query on average, 1 to 2). Before their first query they practised on examples" in told
    assert "median active time for a judgment was 20 s" in told
    assert "5.6 % of judgments came faster" in told
    assert "Krippendorff's ordinal α was 1" in told
    assert "The answer shown first won 52.9 % of its comparisons (95 % interval" in told
    assert "count for no arm: general 1." in told
    assert "Of 3 checks (repeated text 3), which are in no result, 33.3 % were passed." in told
    assert "1 rater was flagged; results are with all raters, and win rates also without the flagged." in told


def test_a_study_without_checks_and_overlap() -> None:
    told = describe_methods(Collected([make_ranking(1, "a", order=None, seconds=None)], least=3, flag_below=0.6))
    assert told.startswith("1 rater ranked")
    assert "for 1 query (1.0 raters per query" in told
    assert "No rater abstained. Raters' care was not checked." in told
    assert "Krippendorff" not in told
    assert "shown first" not in told
