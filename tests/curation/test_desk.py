"""Writing, scoring and reviewing: who may do what, and when a triplet is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from coig.curation.desk import parts_of, tasks_of
from coig.curation.rules import decide, judge_scores
from coig.curation.summary import estimate_minutes, first_round, hours_left, score_agreement, severities
from tests.curation.curations import (
    STORY,
    act,
    configure,
    only_text,
    read_texts,
    review,
    score,
    write,
)

PARTS = ("article", "prompt", "reasoning")
NINES = dict.fromkeys((f"{part}_{what}" for part in PARTS for what in ("quality", "creativity")), 9)


pytestmark = pytest.mark.usefixtures("screened")


def test_a_triplet_is_written_scored_reviewed_and_accepted() -> None:
    write("wen")
    score("sun")
    review("ann", "accept")
    assert only_text().state == "scored"
    review("bob", "accept")
    text = only_text()
    assert text.state == "accepted"
    assert text.triplet.content["article"] == STORY
    assert text.triplet.reasoning.count("\n\n") == 4
    assert parts_of(text, 1) == parts_of(text)
    for missing in (0, 2):
        with pytest.raises(IndexError):
            parts_of(text, missing)


@pytest.mark.parametrize(
    ("scores", "reasons"),
    [
        ({}, ()),
        ({"prompt_quality": 7}, ("prompt_quality: 7, below 8",)),
        (dict.fromkeys(NINES, 8), ("sum: 48, below 50",)),
        (dict.fromkeys(NINES, 8) | {"article_quality": 10}, ()),
    ],
)
def test_the_rule_of_scores(scores: dict[str, int], reasons: tuple[str, ...]) -> None:
    assert judge_scores([NINES | scores], configure().accept).reasons == reasons
    write("wen")
    score("sun", **scores)
    assert only_text().state == ("refine" if reasons else "scored")


def test_with_two_scorers_the_rule_waits_for_both_and_takes_their_mean() -> None:
    two = "accept.scorers=2"
    write("wen")
    score("sun", two, prompt_quality=7)
    assert only_text().state == "written"
    score("zhou", two)
    text = only_text()
    assert text.state == "scored"
    assert text.events[-1].value["total"] == 53
    codes = {event.by.name: event.by.code for event in text.of_kind("score")}
    assert severities([text]) == pytest.approx({codes["sun"]: -1 / 3, codes["zhou"]: 1 / 3})
    assert score_agreement([text])["prompt_quality"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("decisions", "needed", "outcome"),
    [
        (["accept"], 2, None),
        (["accept", "accept"], 2, "accept"),
        (["refine", "refine"], 2, "refine"),
        (["accept", "remove"], 2, None),
        (["accept", "remove", "accept"], 2, "accept"),
        (["accept", "remove", "refine"], 2, "refine"),
        (["accept"] * 3, 4, None),
        (["accept"] * 4, 4, "accept"),
        (["accept", "accept", "accept", "refine"], 4, None),
        (["accept", "accept", "refine", "refine", "remove"], 4, "refine"),
    ],
)
def test_reviewers_decide_together(decisions: list[Any], needed: int, outcome: str | None) -> None:
    assert decide(decisions, needed) == outcome


def test_a_refined_triplet_returns_to_the_writer_and_then_to_the_same_reviewers() -> None:
    rules = configure().accept
    write("wen")
    score("sun")
    review("ann", "refine")
    review("bob", "refine")
    assert only_text().state == "refine"
    assert tasks_of(only_text(), "wen", rules) == ["write"]
    assert tasks_of(only_text(), "cai", rules) == []
    with pytest.raises(ValueError, match="goes back to its writer"):
        write("cai")
    write("wen", prompt="写一篇关于修伞人的短文，结尾不要说破。", why="改了结尾的要求")
    score("sun")
    assert tasks_of(only_text(), "cai", rules) == []
    with pytest.raises(ValueError, match="returns to the reviewers of the one before"):
        review("cai", "accept")
    review("bob", "accept")
    review("ann", "accept")
    text = only_text()
    assert text.state == "accepted"
    assert [version.content["prompt"][-4:] for version in text.triplets] == ["一百字。", "要说破。"]
    rate = first_round([text])
    assert rate is not None
    assert (rate.hits, rate.trials) == (0, 1)


def test_a_conflict_goes_to_a_third_and_all_three_see_the_new_version() -> None:
    rules = configure().accept
    write("wen")
    score("sun")
    review("ann", "accept")
    review("bob", "remove")
    assert only_text().state == "scored"
    assert tasks_of(only_text(), "cai", rules) == ["review"]
    review("cai", "refine")
    assert only_text().state == "refine"
    write("wen")
    score("sun")
    for name in ("ann", "bob"):
        review(name, "accept")
    assert only_text().state == "scored"
    review("cai", "remove")
    assert only_text().state == "accepted"


def test_special_genres_need_four() -> None:
    four = "accept.special_genres=[essay]"
    write("wen")
    score("sun")
    for name in ("ann", "bob", "cai"):
        review(name, "accept", four)
        assert only_text().state == "scored"
    review("dan", "accept", four)
    assert only_text().state == "accepted"


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("score", NINES, "scored by others than its writer"),
        ("review", {"decision": "accept"}, "refused"),
    ],
)
def test_nobody_judges_what_they_wrote(kind: str, fields: dict[str, Any], problem: str) -> None:
    write("wen")
    if kind == "review":
        score("sun")
        problem = "reviewed by others than its writer"
    with pytest.raises(ValueError, match=problem):
        act(kind, "wen", **fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"decision": "refine"}, "say what to refine"),
        ({"decision": "remove"}, "say why it is removed"),
        ({"decision": "maybe"}, "'maybe' is none of accept, refine, remove"),
        (
            {"decision": "refine", "comments": [{"part": "prompt", "start": 0, "end": 99, "comment": "太长"}]},
            "0 to 99 is no passage of a prompt of 19 characters",
        ),
    ],
)
def test_a_review_says_what_it_must(fields: dict[str, Any], problem: str) -> None:
    write("wen")
    score("sun")
    with pytest.raises(ValueError, match=problem):
        act("review", "ann", **fields)


def test_scores_out_of_range_and_unknown_texts_are_refused() -> None:
    write("wen")
    with pytest.raises(ValueError, match="article_quality"):
        score("sun", article_quality=11)
    with pytest.raises(ValueError, match="no text 'nowhere'"):
        act("split", "li", "nowhere", why="x")
    with pytest.raises(ValueError, match="kind: 'sing' is none of"):
        act("sing", "li")


def test_what_is_sent_twice_counts_once() -> None:
    write("wen", key="abc")
    write("wen", key="abc")
    assert len(only_text().triplets) == 1


def test_a_draft_is_kept_with_its_edit_distance() -> None:
    draft = {"model": "gpt", "prompt": "写一篇关于修伞人的短文，不超过一百字。", "reasoning": "想一想再写。"}
    write("wen", draft=draft)
    value = only_text().of_kind("write")[0].value
    assert value["draft"] == "gpt"
    assert value["edits"] == 4 * len("\n\n想一想再写。")


def test_hours_left_fall_as_work_is_done() -> None:
    config = configure("minutes={write: 60, score: 6, review: 12, recheck: 1}")
    assert hours_left(read_texts(), config) == pytest.approx((60 + 6 + 24) / 60)
    write("wen", seconds=600)
    assert hours_left(read_texts(), config) == pytest.approx((6 + 24) / 60)
    score("sun")
    review("ann", "accept")
    assert hours_left(read_texts(), config) == pytest.approx(12 / 60)
    assert estimate_minutes(read_texts() * 5, config.minutes)["write"] == 10
