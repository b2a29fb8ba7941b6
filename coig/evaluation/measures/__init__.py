"""Automatic measures of the answers: length, diversity, language."""

from __future__ import annotations

import polars as pl

from coig.evaluation.measures.tables import automatic_table, comparison_table, genre_table


def tabulate_measures(answers: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Compute the tables of the automatic measures by name, from the frame of `measure_answers`.

    `automatic`: means by arm. `comparisons`: paired differences between arms. `genres`: means by genre and arm.
    """
    return {
        "automatic": automatic_table(answers),
        "comparisons": comparison_table(answers),
        "genres": genre_table(answers),
    }
