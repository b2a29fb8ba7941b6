"""Preferences of raters: win rates, strengths of arms, agreement."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from coig.evaluation.preferences.agreement import agreement_table, rater_table, rating_table
from coig.evaluation.preferences.judgments import Judgments
from coig.evaluation.preferences.strengths import compute_strengths, control_length
from coig.evaluation.preferences.win_rates import add_clean_rates, compute_win_rates


def tabulate_preferences(
    judgments: Judgments, answers: pl.DataFrame | None, arms: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """Return the tables of judgments by name: win_rates, strengths, agreement, raters, ratings.

    Args:
        answers: the frame of `measure_answers`, or None. With it, `win_rates` has the columns of clean answers too,
            and there is a sixth table, `length_control`.
        arms: names, in the order of the tables.
    """
    rates = compute_win_rates(judgments.verdicts, arms)
    frames = {
        "win_rates": rates,
        "strengths": compute_strengths(judgments.verdicts, arms),
        "agreement": agreement_table(judgments),
        "raters": rater_table(judgments),
        "ratings": rating_table(judgments.ratings, arms),
    }
    if answers is not None:
        # tokens are unknown for answers that coig did not generate
        lengths = answers.with_columns(tokens=pl.coalesce("tokens", "words"))
        frames["win_rates"] = add_clean_rates(rates, judgments.verdicts, answers)
        frames["length_control"] = control_length(judgments.verdicts, lengths, arms)
    return frames
