"""Checks of raters' care."""

from __future__ import annotations

import pytest

from coig.annotation.checks import choose_kind, measure_care, plant
from coig.config.annotation import CheckKind

CHINESE = "天亮了。雨停了！他说：“走吧。”她没有动？风来了。门开了。他回头。路很长。"


def test_what_is_planted() -> None:
    answers = {"a": CHINESE, "b": "Short.", "c": CHINESE[::-1]}
    assert plant("repeat", answers, 1) == (answers, {})
    texts, planted = plant("identical", answers, 1)
    assert texts[planted["copy"]] == answers[planted["of"]] == texts[planted["of"]]
    texts, planted = plant("halved", answers, 1)
    assert planted["damaged"] != "b"  # too short for a defect that shows
    assert [arm for arm in answers if texts[arm] != answers[arm]] == [planted["damaged"]]


@pytest.mark.parametrize(
    ("kind", "planted", "value", "care"),
    [
        ("identical", {"copy": "a", "of": "b"}, {"a": 1, "b": 1, "c": 3}, 1.0),
        ("identical", {"copy": "a", "of": "b"}, {"a": 1, "b": 2, "c": 3}, 0.0),
        ("shuffled", {"damaged": "c"}, {"a": 1, "b": 1, "c": 3}, 1.0),
        ("halved", {"damaged": "c"}, {"a": 1, "b": 2, "c": 2}, 1.0),
        ("repeated_text", {"damaged": "a"}, {"a": 1, "b": 2, "c": 3}, 0.0),
        ("repeat", {}, {"a": 1, "b": 2, "c": 3}, 1.0),
        ("repeat", {}, {"a": 3, "b": 2, "c": 1}, 0.0),
        ("repeat", {}, {"a": 1, "b": 1, "c": 3}, 5 / 6),
        ("halved", {"damaged": "b"}, {"a": {"overall preference": 2}, "b": {"overall preference": 0}}, 1.0),
        ("halved", {"damaged": "a"}, {"a": {"style": 2, "plot": 1}, "b": {"style": 1, "plot": 1}}, 0.0),
    ],
)
def test_how_a_check_is_judged(kind: str, planted: dict[str, str], value: dict[str, object], care: float) -> None:
    earlier = {"a": 1, "b": 2, "c": 3}
    assert measure_care(kind, planted, value, earlier) == pytest.approx(care)  # type: ignore[arg-type]


def test_each_kind_of_check_comes_equally_often() -> None:
    kinds: list[CheckKind] = ["repeat", "identical", "halved"]
    drawn = [choose_kind(kinds, number, 0, "ann") for number in range(9)]
    assert [sorted(drawn[start : start + 3]) for start in (0, 3, 6)] == [sorted(kinds)] * 3
