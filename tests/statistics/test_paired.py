from itertools import product

import numpy as np
import pytest

from coig.statistics.intervals import random_flip_p
from coig.statistics.paired import paired_differences


def test_arms_are_compared_over_the_queries_that_both_answered() -> None:
    """The second arm lacks the last query: 7 are shared, 0.5 apart in each, which no flip of signs exceeds often."""
    first = np.arange(8.0)
    second = np.append(first[:7] - 0.5, np.nan)
    [found] = paired_differences(np.column_stack([first, second]), [(0, 1)])
    assert (found.n, found.first, found.second, found.difference) == (7, 3.0, 2.5, 0.5)
    assert (found.low, found.high) == (0.5, 0.5)
    assert found.p == pytest.approx(2 / 2**7, abs=0.005)  # all of 7 signs alike, either way


def test_too_few_queries_have_a_difference_without_limits() -> None:
    [found] = paired_differences(np.array([[1.0, 0.0]] * 5), [(0, 1)])
    assert (found.n, found.difference, found.low, found.high) == (5, 1.0, None, None)


def test_two_shares_of_one_are_no_certain_difference() -> None:
    """Wilson's lower limit of 10 of 10 is 10 / (10 + 1.96²) = 0.7225, which is the distance of both limits from 0."""
    [found] = paired_differences(np.ones((10, 2)), [(0, 1)], shares=True)
    assert found.difference == 0
    assert (found.low, found.high) == pytest.approx((-0.2775, 0.2775), abs=5e-5)


@pytest.mark.parametrize("given", [[0.1, 0.2, -0.3], [0.1, 0.1, 0.1, -0.1, -0.1, 0.2, -0.3, 0.25, -0.5]])
def test_random_flips_have_the_p_of_all_flips(given: list[float]) -> None:
    """The sum of the first differences is 0, where floating-point addition gives 5.6e-17: every flip reaches it."""
    differences = np.array(given)
    flips = np.array(list(product([-1.0, 1.0], repeat=len(given))))
    exact = (np.abs(np.round(flips @ differences, 9)) >= round(abs(differences.sum()), 9)).mean()
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(9_999, len(given)))
    assert random_flip_p(differences[:, None], signs) == pytest.approx(exact, abs=0.02)
