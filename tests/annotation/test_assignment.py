"""Which queries are judged, as which items, and by whom."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from coig.annotation.assignment import choose_item, draw_sample
from coig.config import Protocol
from coig.study.items import make_items
from tests.annotation.studies import ARMS, make_questions


def test_a_sample_draws_every_query_with_the_same_probability() -> None:
    questions = make_questions(20)
    drawn = Counter(chain.from_iterable(draw_sample(questions, 6, seed) for seed in range(2000)))
    assert len(drawn) == 20
    assert all(abs(count / 2000 - 0.3) < 0.05 for count in drawn.values())  # 5 standard errors


def test_a_sample_is_spread_over_languages_and_genres_and_grows() -> None:
    questions = make_questions(40)
    strata = {question.query_id: question.stratum for question in questions}
    first = draw_sample(questions, 8, seed=3)
    assert Counter(strata[one] for one in first) == dict.fromkeys(strata.values(), 2)
    more = draw_sample(questions, 20, seed=3, earlier=first)
    assert more[:8] == first
    assert len(set(more)) == 20
    assert draw_sample(questions, 5, seed=3, earlier=first) == first


def test_a_sample_that_grew_has_equal_probabilities_too() -> None:
    questions = make_questions(12)
    drawn = Counter(
        chain.from_iterable(draw_sample(questions, 6, seed, draw_sample(questions, 3, seed)) for seed in range(2000))
    )
    assert all(abs(count / 2000 - 0.5) < 0.06 for count in drawn.values())


def test_incomplete_blocks_judge_every_pair_equally_often() -> None:
    protocol = Protocol(kind="pairs", good=False, pairs_per_query=3)
    items = make_items(make_questions(40), protocol, seed=0)
    assert set(Counter(item.question.query_id for item in items).values()) == {3}
    pairs = Counter(item.arms for item in items)
    assert set(pairs.values()) == {12}
    assert len(pairs) == 10
    assert {item.probability for item in items} == {0.3}
    for lang in ("zh", "en"):
        arms = Counter(arm for item in items if item.question.lang == lang for arm in item.arms)
        assert max(arms.values()) - min(arms.values()) <= 1


def test_all_pairs_without_a_limit() -> None:
    items = make_items(make_questions(2), Protocol(kind="pairs", good=False), seed=0)
    assert len(items) == 20
    assert {item.probability for item in items} == {1.0}
    assert all(ARMS.index(a) < ARMS.index(b) for a, b in (item.arms for item in items))


def test_the_least_judged_come_first_spread_over_languages_and_genres() -> None:
    items = make_items(make_questions(8), Protocol(kind="ranking", good=False), seed=0)
    counts: Counter[str] = Counter()
    order = []
    for _ in range(16):
        item = choose_item(items, counts, (), ("zh", "en"), 2, 0, "ann")
        assert item
        counts[item.key] += 1
        order.append(item)
    assert set(counts.values()) == {2}
    assert len({item.key for item in order[:8]}) == 8
    assert len({item.question.stratum for item in order[:4]}) == 4
    assert choose_item(items, counts, (), ("zh", "en"), 2, 0, "ann") is None
    assert choose_item(items, counts, (), ("zh", "en"), None, 0, "ann")


def test_a_rater_gets_own_languages_and_nothing_twice() -> None:
    items = make_items(make_questions(8), Protocol(kind="ranking", good=False), seed=0)
    seen: set[str] = set()
    while item := choose_item(items, {}, seen, ("zh",), None, 0, "ann"):
        assert item.question.lang == "zh"
        assert item.key not in seen
        seen.add(item.key)
    assert len(seen) == 4
