"""The edit distance of two texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coig.text.edit_distance import edit_distance


def plain(first: str, second: str) -> int:
    """Compute the distance as its definition says."""
    row = list(range(len(second) + 1))
    for one in first:
        before, row[0] = row[0], row[0] + 1
        for at, other in enumerate(second, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (one != other))
    return row[-1]


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "", 0), ("春", "", 1), ("kitten", "sitting", 3), ("天晴了", "天阴了呢", 2), ("同", "同", 0)],
)
def test_known_distances(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


@given(st.text("甲乙丙a", max_size=12), st.text("甲乙丙a", max_size=12))
def test_it_is_levenshteins(first: str, second: str) -> None:
    assert edit_distance(first, second) == plain(first, second)
