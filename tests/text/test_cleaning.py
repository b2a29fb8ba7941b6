"""Which prompts count as the same."""

import pytest

from coig.text.cleaning import prompt_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("写一首关于雪的诗。", "寫一首關於雪的詩"),
        ("３ + 4 = ?", "3+4="),
        ("A well-known **3** poems", "a well known 3 poems"),
        ("1. Write a poem: now", "1) write a poem, now"),
    ],
)
def test_prompts_that_say_the_same(one: str, other: str) -> None:
    assert prompt_key(one) == prompt_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3+4", "3*4"),
        ("3 - 4", "3 4"),
        ("(3+4)*5", "(3+4)-5"),
        ("3.5", "35"),
        ("3:4", "34"),
        ("x+y", "x*y"),
        ("5%", "5"),
    ],
)
def test_prompts_that_differ_in_a_sign(one: str, other: str) -> None:
    assert prompt_key(one) != prompt_key(other)
