"""Probabilities of a field's choices, by the likeliest tokens at its place."""

from __future__ import annotations

import math

import pytest

from coig.llm.probabilities import Token, choice_probabilities

CHOICES = ("A", "B", "tie")


def tokens(*given: tuple[str, dict[str, float]]) -> list[Token]:
    return [Token(text, {other: math.log(odds) for other, odds in likeliest.items()}) for text, likeliest in given]


@pytest.mark.parametrize(
    ("before", "odds"),
    [
        ('{"verdict": "', {"A": 0.6, "B": 0.2, "t": 0.1, "tie": 0.1}),
        ('{"verdict":', {' "A': 0.6, ' "B"': 0.2, ' "tie"}': 0.2}),
        ("<think>verdict: B</think>\nVerdict:", {" A": 0.6, " B": 0.2, " ti": 0.2}),
        ('{"verdict": "', {"A": 0.3, "B": 0.1, "tie": 0.1, "Answer": 0.4}),  # the rest says something else
    ],
)
def test_the_tokens_at_the_place_of_the_value_count(before: str, odds: dict[str, float]) -> None:
    told = tokens((before, {before: 1.0}), (next(iter(odds)), odds), ('"}', {'"}': 1.0}))
    assert choice_probabilities(told, "verdict", CHOICES) == pytest.approx({"A": 0.6, "B": 0.2, "tie": 0.2})


@pytest.mark.parametrize(
    ("text", "odds"),
    [
        ("I prefer ", {"A": 1.0}),
        ("verdict: ", {"Answer": 0.9, "A": 0.1}),
        ("verdict: ", {}),
    ],
    ids=["no field", "mostly something else", "nothing"],
)
def test_without_a_field_or_mass_on_its_choices_nothing_is_known(text: str, odds: dict[str, float]) -> None:
    assert choice_probabilities(tokens((text, {}), ("A", odds)), "verdict", CHOICES) == {}
    assert choice_probabilities([], "verdict", CHOICES) == {}
