"""Orders of answers are balanced for every rater."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise, permutations

import pytest

from coig.statistics.orders import draw_order, draw_pair_order, williams_square


@pytest.mark.parametrize("size", range(2, 10))
def test_a_williams_square_balances_places_and_neighbours(size: int) -> None:
    rows = williams_square(size)
    assert len(rows) == (size if size % 2 == 0 else 2 * size)
    places = Counter((arm, place) for row in rows for place, arm in enumerate(row))
    neighbours = Counter(pair for row in rows for pair in pairwise(row))
    assert set(places.values()) == {len(rows) // size}
    assert set(places) == {(arm, place) for arm in range(size) for place in range(size)}
    assert set(neighbours) == set(permutations(range(size), 2))
    assert len(set(neighbours.values())) == 1


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 7])
def test_places_are_balanced_after_any_number_of_tasks(size: int) -> None:
    arms = [f"arm {number}" for number in range(size)]
    places = Counter((arm, place) for arm in arms for place in range(size))
    neighbours = Counter(permutations(arms, 2))
    for number in range(6 * size):
        order = draw_order(arms, number, 0, "ann")
        assert sorted(order) == arms
        places.update((arm, place) for place, arm in enumerate(order))
        neighbours.update(pairwise(order))
        assert max(places.values()) - min(places.values()) <= 1
        assert max(neighbours.values()) - min(neighbours.values()) <= (1 if size % 2 == 0 else 2)
        if (number + 1) % (2 * size) == 0:
            assert len(set(neighbours.values())) == 1


def test_an_order_depends_on_seed_and_rater_only() -> None:
    arms = ["a", "b", "c", "d", "e"]
    ann = [draw_order(arms, number, 0, "ann") for number in range(10)]
    assert ann == [draw_order(arms[::-1], number, 0, "ann") for number in range(10)]
    assert ann != [draw_order(arms, number, 0, "bob") for number in range(10)]
    assert ann != [draw_order(arms, number, 1, "ann") for number in range(10)]


def test_pairs_are_balanced() -> None:
    seen: list[list[str]] = []
    for query in range(20):
        for pair in combinations("abcde", 2):
            seen.append(draw_pair_order(pair, seen, query, *pair))
    for pair in combinations("abcde", 2):
        assert sum(shown == list(pair) for shown in seen) == 10
    first = Counter(shown[0] for shown in seen)
    assert set(first.values()) == {40}
