"""What raters prefer: win rates, strengths, agreement."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from coig.evaluation.preferences.agreement import agreement, mean_ratings, raters
from coig.evaluation.preferences.judgments import Judgments
from coig.evaluation.preferences.strengths import length_control, strengths
from coig.evaluation.preferences.win_rates import win_rates, with_clean_rates


def weigh(judgments: Judgments, answers: pl.DataFrame | None, arms: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Return the tables of judgments by name: win rates, strengths, agreement, raters, ratings.

    Args:
        answers: measured; with them come win rates of clean answers and at equal length. None: nobody has them.
        arms: in the order in which they are shown.
    """
    rates = win_rates(judgments.comparisons, arms)
    frames = {
        "win_rates": rates,
        "strengths": strengths(judgments.comparisons, arms),
        "agreement": agreement(judgments),
        "raters": raters(judgments),
        "ratings": mean_ratings(judgments.ratings, arms),
    }
    if answers is not None:
        # of others' answers nobody knows the tokens
        lengths = answers.with_columns(tokens=pl.coalesce("tokens", "words"))
        frames["win_rates"] = with_clean_rates(rates, judgments.comparisons, answers)
        frames["length_control"] = length_control(judgments.comparisons, lengths, arms)
    return frames
