"""What changed between two versions of a text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coig.text.changes import find_changes

TEXTS = st.text("雨下了三天。！\nab .”", max_size=60)


@given(TEXTS, TEXTS)
def test_the_pieces_make_up_both_versions(before: str, after: str) -> None:
    pieces = find_changes(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == after
    assert all(piece.text for piece in pieces)
    assert all(one.kind != other.kind for one, other in pairwise(pieces))


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("雨下了三天。", "雨下了三天。", [("same", "雨下了三天。")]),
        ("雨下了三天。", "雨下了四天。", [("same", "雨下了"), ("removed", "三"), ("added", "四"), ("same", "天。")]),
        ("他走了。", "他走了。又下雨了。", [("same", "他走了。"), ("added", "又下雨了。")]),
        (
            "He went home.",
            "He walked home.",
            [("same", "He "), ("removed", "went"), ("added", "walked"), ("same", " home.")],
        ),
        ("", "雨", [("added", "雨")]),
        ("", "", []),
    ],
)
def test_words_are_whole_and_what_was_removed_comes_first(
    before: str, after: str, changes: list[tuple[str, str]]
) -> None:
    assert [tuple(piece) for piece in find_changes(before, after)] == changes


def test_a_long_passage_without_sentences_counts_as_changed_as_a_whole() -> None:
    before, after = "雨下" * 15_000, "雨下" * 14_999 + "雪"
    assert find_changes(before, after) == [("removed", before), ("added", after)]
