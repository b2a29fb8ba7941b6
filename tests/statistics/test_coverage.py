"""Whether nominal 95 % intervals hold what they say, at the paper's sizes: pytest -m slow

Raters of different tastes judge the same prompts; a verdict's chance to be a win is a probit of the effect, the prompt
and the rater's taste for the arm.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from coig.evaluation.preferences.judgments import VERDICT
from coig.evaluation.preferences.win_rates import compute_win_rates

STUDIES = 1_000
PROMPT_SPREAD = 0.6  # standard deviations on the probit scale
RATERS = 4


def studies(prompts: int, effect: float, taste: float) -> tuple[int, int]:
    """Count the intervals that hold the rate of these raters on new prompts, and that of new raters too."""
    draw = np.random.default_rng(0)
    of_prompts = of_raters = 0
    names = [f"q{query}" for query in range(prompts) for _ in range(RATERS)]
    constant = {"lang": "zh", "genre": None, "arm": "cw", "opponent": "general"}
    for _ in range(STUDIES):
        tastes = draw.normal(0, taste, RATERS)
        chances = norm.cdf(effect + draw.normal(0, PROMPT_SPREAD, (prompts, 1)) + tastes)
        scores = (draw.random((prompts, RATERS)) < chances).astype(float)
        rows = {"query_id": names, "rater": [f"r{n}" for n in range(RATERS)] * prompts, "score": scores.ravel()}
        table = pl.DataFrame(rows).with_columns(**{key: pl.lit(value, pl.String) for key, value in constant.items()})
        row = compute_win_rates(table.select(list(VERDICT)), ("cw", "general"), resamples=1_000).row(0, named=True)
        theirs = norm.cdf((effect + tastes) / np.hypot(1, PROMPT_SPREAD)).mean()
        everybodys = norm.cdf(effect / np.sqrt(1 + PROMPT_SPREAD**2 + taste**2))
        of_prompts += row["low"] <= theirs <= row["high"]
        of_raters += row["low_raters"] <= everybodys <= row["high_raters"]
    return of_prompts, of_raters


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [204, 353])
@pytest.mark.parametrize(("effect", "taste"), [(0.0, 0.0), (0.3, 0.15), (0.3, 0.4)])
def test_intervals_cover_what_they_say(prompts: int, effect: float, taste: float) -> None:
    of_prompts, of_raters = studies(prompts, effect, taste)
    assert 0.93 <= of_prompts / STUDIES <= 0.97
    assert of_raters / STUDIES >= 0.90
