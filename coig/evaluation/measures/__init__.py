"""Measure the answers: length, diversity, language."""

from __future__ import annotations

import polars as pl

from coig.evaluation.measures.tables import automatic_table, comparisons, genre_table


def measure(answers: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the tables of measured answers by name: by arm, by genre, and arms compared query by query."""
    return {
        "automatic": automatic_table(answers),
        "comparisons": comparisons(answers),
        "genres": genre_table(answers),
    }
