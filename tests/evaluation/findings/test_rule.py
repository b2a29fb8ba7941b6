"""The rule for claims: how often it errs, counted exactly over all outcomes of a study."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import bdtr

from coig.evaluation.findings.rule import decide, excluded_in_words, rule_in_words
from coig.evaluation.preferences.judgments import VERDICT
from coig.evaluation.preferences.win_rates import compute_win_rates

MARGIN = 0.1
EXCLUDED, BETTER = "not better by the margin", "better"


@cache
def findings(prompts: int) -> list[str]:
    """What one rater's verdicts on so many prompts are taken for, by the number of wins, before Holm's correction."""
    wins = [f"won {won}" for won in range(prompts + 1)]
    rows = [
        (f"q{query:03}", "zh", None, arm, "other", "ann", float(query < won))
        for won, arm in enumerate(wins)
        for query in range(prompts)
    ]
    rates = compute_win_rates(pl.DataFrame(rows, schema=VERDICT, orient="row"), [*wins, "other"]).filter(
        opponent="other"
    )
    by_arm = {row["arm"]: decide(row | {"p_holm": row["p"]}, MARGIN).finding for row in rates.to_dicts()}
    return [by_arm[arm] for arm in wins]


def chance(prompts: int, truth: float, *sought: str) -> float:
    """Return how often a study of an arm that truly wins this share is taken for one of `sought`."""
    reached = bdtr(np.arange(-1, prompts + 1), prompts, truth)
    reached[0] = 0.0
    taken = [found in sought for found in findings(prompts)]
    return float(np.diff(reached)[taken].sum())


@pytest.mark.parametrize("prompts", [7, 8, 12, 20, 50, 204, pytest.param(353, marks=pytest.mark.slow)])
def test_a_true_advantage_of_the_margin_is_seldom_denied(prompts: int) -> None:
    assert chance(prompts, 0.6, EXCLUDED, "worse") <= 0.05


def test_equal_arms_and_the_papers_effect_are_found_with_the_papers_prompts() -> None:
    assert chance(204, 0.5, EXCLUDED, "worse") >= 0.8
    assert chance(204, 0.6275, BETTER) >= 0.8
    assert (findings(8)[2], findings(8)[5]) == ("inconclusive", "inconclusive")
    assert (findings(80)[50], findings(80)[49]) == (BETTER, "inconclusive")


def row(rate: float, high: float | None, high_raters: float | None, p: float, **more: Any) -> dict[str, Any]:
    figures = {"rate": rate, "high": high, "high_raters": high_raters, "p_holm": p, "low_raters": None}
    return {**figures, "prompts": 204, "mde": 0.098, **more}


def test_it_says_which_advantage_is_excluded_and_what_is_needed() -> None:
    excluded = decide(row(0.5, 0.567, None, 1.0), MARGIN)
    assert excluded.finding == EXCLUDED
    assert excluded.why == "an advantage of 10 points or more is excluded"
    assert excluded_in_words(excluded.excluded) == "7.1 points or more"
    few = decide(row(0.625, 0.9, None, 0.7, prompts=8, mde=0.495), MARGIN)
    assert (few.finding, few.prompts_needed) == ("inconclusive", 197)
    assert few.why.endswith("about 197 prompts are needed to find or exclude such an advantage 4 times in 5")
    assert decide(row(0.6, None, None, 1.0, prompts=5, mde=None), MARGIN).prompts_needed == 197
    assert decide(row(0.55, 0.617, None, 0.2), MARGIN).prompts_needed == 784  # enough for 10 points: so for 5
    assert decide(row(0.4, 0.47, None, 0.01), MARGIN).finding == "worse"
    assert excluded_in_words(-0.03) == "any"
    assert excluded_in_words(None) is None


def test_the_bound_is_that_of_new_raters_where_they_are_several() -> None:
    doubtful = decide(row(0.5, 0.55, 0.68, 1.0), MARGIN)
    assert doubtful.finding == "inconclusive"
    assert "more raters are needed" in doubtful.why
    assert decide(row(0.5, 0.55, 0.58, 1.0), MARGIN).finding == EXCLUDED
    assert decide(row(0.62, 0.68, 0.74, 0.01), MARGIN).excluded == pytest.approx(0.24)


def test_the_margin_is_the_studys() -> None:
    assert decide(row(0.5, 0.567, None, 1.0), 0.05).finding == "inconclusive"
    assert "an advantage of 7.5 points or more: a margin fixed beforehand" in rule_in_words(0.075)
