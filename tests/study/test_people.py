"""How people judged: agreement, position, care, and what could be found."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import krippendorff
import numpy as np
import pytest

from coig.records.judgment import Judgment
from coig.statistics.power import Design
from coig.study.people import (
    compute_findable,
    count_abstentions,
    estimate_agreement,
    estimate_position_effect,
    summarize_rater,
)

ARMS = ("a", "b", "c")


def make_ranking(query: int, rater: str, value: list[float], **facts: Any) -> Judgment:
    about = {"query_id": f"q{query}", "lang": "zh", "kind": "ranking", "arms": ARMS, "value": value, "rater": rater}
    return Judgment.model_validate(about | {"order": ARMS} | facts)


def make_random(queries: int, raters: int, noise: float) -> list[Judgment]:
    """Return rankings of raters who share a taste, up to noise."""
    chance = random.Random(0)
    found = []
    for query in range(queries):
        taste = [chance.gauss(0, 1) for _ in ARMS]
        for rater in range(raters):
            seen = [value + noise * chance.gauss(0, 1) for value in taste]
            ranks = [1.0 + sum(other > value for other in seen) for value in seen]
            found.append(make_ranking(query, f"rater {rater}", ranks))
    return found


def test_agreement_is_krippendorffs() -> None:
    rankings = make_random(20, 3, 0.7)
    by_rater = [[one for one in rankings if one.rater == f"rater {rater}"] for rater in range(3)]
    table = [[rank for one in own if isinstance(one.value, list) for rank in one.value] for own in by_rater]
    found = estimate_agreement(rankings)
    assert found
    assert found.value == pytest.approx(krippendorff.alpha(table, level_of_measurement="ordinal"))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_agreement_is_unknown_without_overlap() -> None:
    assert estimate_agreement([make_ranking(1, "ann", [1, 2, 3]), make_ranking(2, "bob", [3, 2, 1])]) is None
    assert estimate_agreement([]) is None


def test_the_first_place_wins_too_often() -> None:
    always = [make_ranking(query, "ann", [1, 2, 3]) for query in range(8)]
    found = estimate_position_effect(always)
    assert found
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.6756, abs=5e-5)  # Wilson's of 8 of 8, 8 / (8 + 1.96²)
    even = [make_ranking(query, "ann", [1, 2, 3], order=order) for query, order in enumerate([ARMS, ARMS[::-1]] * 4)]
    found = estimate_position_effect(even)
    assert found
    assert found.value == 0.5
    assert estimate_position_effect([make_ranking(1, "ann", [1, 2, 3], order=None)]) is None


def test_a_rater_is_flagged_by_the_rule() -> None:
    judged = [make_ranking(query, "ann", [1, 2, 3], seconds=10, characters=200) for query in range(4)]
    judged[0] = judged[0].model_copy(update={"characters": 400})  # 40 Chinese characters a second
    checks = [make_ranking(query, "ann", [1, 2, 3], check="halved", care=care) for query, care in enumerate([0, 1, 0])]
    told = make_ranking(9, "ann", [1, 2, 3]).model_copy(update={"kind": "abstention", "value": "empty: all of it"})
    told_at_check = told.model_copy(update={"check": "repeat", "order": ARMS[::-1]})
    others = make_ranking(1, "bob", [1, 2, 3])
    found = summarize_rater("ann", [*judged, *checks, told, told_at_check, others], least=3, flag_below=0.6)
    assert (found.judged, found.abstained, found.seconds, found.too_fast) == (4, 1, 10, 0.25)
    assert (found.checks, found.flagged) == (3, True)
    assert found.care == pytest.approx(1 / 3)
    assert not summarize_rater("ann", [*judged, *checks], least=4, flag_below=0.6).flagged
    assert count_abstentions([told]) == {arm: {"empty": 1} for arm in ARMS}


def test_more_verdicts_find_smaller_differences() -> None:
    found = compute_findable(make_random(100, 2, 1.0))
    assert found
    assert (found.queries, found.raters) == (100, 2)
    assert found.agreement is not None
    assert 0.2 < found.agreement < 0.8
    assert found.with_more_queries < found.now
    assert found.with_one_more_rater < found.now
    assert found.now == pytest.approx(Design(0.6, 2, agreement=found.agreement).detectable(100, 2))
    assert found.with_more_queries == pytest.approx(Design(0.6, 2, agreement=found.agreement).detectable(150, 2))
    assert found.with_one_more_rater == pytest.approx(Design(0.6, 3, agreement=found.agreement).detectable(100, 3))
    alone = compute_findable(make_random(30, 1, 1.0))
    assert alone
    assert alone.agreement is None
    assert compute_findable([]) is None


def make_pairs(queries: int, per_query: int) -> list[Judgment]:
    """Return random verdicts on pairs of five arms, each by another rater, `per_query` of the ten pairs in turn."""
    chance, pairs = random.Random(0), list(combinations("abcde", 2))
    found = []
    for place in range(queries * per_query):
        pair = pairs[place % len(pairs)]
        about = {"query_id": f"q{place // per_query}", "lang": "zh", "kind": "pairwise", "rater": f"rater {place % 10}"}
        found.append(Judgment.model_validate(about | {"arms": pair, "value": chance.choice("ab")}))
    return found


@pytest.mark.parametrize(("per_query", "queries"), [(10, 100), (1, 10)])
def test_what_can_be_found_of_a_pair_rests_on_its_own_verdicts_alone(per_query: int, queries: int) -> None:
    found = compute_findable(make_pairs(100, per_query))
    assert found
    assert (found.queries, found.raters) == (queries, 1)
    assert found.now == pytest.approx(Design(0.6, 1).detectable(queries, 1))
    assert found.with_more_queries == pytest.approx(Design(0.6, 1).detectable(1.5 * queries, 1))


def test_the_pair_that_finds_least_is_shown() -> None:
    verdicts = [one for one in make_pairs(100, 10) if one.arms != ("a", "b") or int(one.query_id[1:]) < 40]
    found = compute_findable(verdicts)
    assert found
    assert found.queries == 40
    assert found.with_more_queries == pytest.approx(Design(0.6, 1).detectable(60, 1))


@pytest.mark.parametrize("per_query", [10, 4])
def test_the_difference_that_is_shown_is_found_in_four_of_five_studies(per_query: int) -> None:
    known = compute_findable(make_pairs(100, per_query))
    assert known
    chance = np.random.default_rng(0)
    wins = chance.binomial(known.queries, 0.5 + known.now, 20_000)
    significant = abs(wins / known.queries - 0.5) > 1.96 * 0.5 / np.sqrt(known.queries)
    assert significant.mean() == pytest.approx(0.8, abs=0.05)
