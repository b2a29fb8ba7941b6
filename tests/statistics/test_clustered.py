"""Intervals of win rates whose verdicts are correlated within prompts and raters."""

from __future__ import annotations

import numpy as np
import pytest

from coig.statistics.clustered import Verdicts, interval_for_new_raters


def verdicts(scores: list[list[float]]) -> Verdicts:
    """Return verdicts from a row for each prompt, with each rater's score."""
    table = np.array(scores)
    prompts, raters = np.indices(table.shape)
    return Verdicts(table.ravel(), prompts.ravel(), raters.ravel())


@pytest.mark.parametrize(
    "scores",
    [
        [[1.0, 0.0], [0.0, 1.0]] * 3,  # two raters who contradict each other on every prompt
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] * 2,  # a rate of a third, which floats only approach
        [[1.0, 1.0]] * 6,
    ],
)
def test_raters_who_cancel_out_say_nothing_of_new_raters(scores: list[list[float]]) -> None:
    assert interval_for_new_raters(verdicts(scores)) == (None, None, None)


def test_the_interval_is_wider_than_that_of_the_same_raters() -> None:
    scores = [[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.5]]
    low, high, p = interval_for_new_raters(verdicts(scores))
    assert low == 0.0
    assert high == 1.0
    assert p == pytest.approx(0.5, abs=0.2)
