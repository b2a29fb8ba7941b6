"""What counts as the same text when copies are looked for."""

from __future__ import annotations

import numpy as np
import pytest

from coig.text.shingles import comparison_form, shingles_of


def jaccard(first: str, second: str) -> float:
    one, other = shingles_of(first), shingles_of(second)
    return len(np.intersect1d(one, other)) / len(np.union1d(one, other))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("春天，來了！", "春天来了"),
        ("Ａｂ c-1", "abc1"),
        ("「說」：裡", "说里"),
        ("\u3000\n……", ""),
        ("😀 ok", "ok"),
    ],
)
def test_punctuation_width_case_and_traditional_characters_make_no_difference(text: str, form: str) -> None:
    assert comparison_form(text) == form


def test_chinese_has_five_characters_in_a_shingle_and_alphabets_eight() -> None:
    assert len(shingles_of("一二三四五六七")) == 3
    assert len(shingles_of("abcdefghij")) == 3
    assert len(shingles_of("一二三四abcdefgh")) == 4 + 1  # 一二三四a, 二三四ab, 三四abc, 四abcd, abcdefgh


@pytest.mark.parametrize("text", ["雨停了", "hi", "春"])
def test_a_short_text_is_one_shingle(text: str) -> None:
    assert len(shingles_of(text)) == 1
    assert jaccard(text, text + "！") == 1
    assert jaccard(text, text + "甲") == 0


@pytest.mark.parametrize("text", ["", "……", " \n", "😀"])
def test_a_text_without_letters_has_no_shingle(text: str) -> None:
    assert len(shingles_of(text)) == 0


def test_a_damaged_character_is_no_error() -> None:
    assert len(shingles_of("雨停了\udc80天晴了吧")) > 0


def test_a_character_replaced_changes_five_shingles() -> None:
    text = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
    edited = text.replace("辛", "天")
    assert jaccard(text, edited) == (16 - 5) / (16 + 5)
