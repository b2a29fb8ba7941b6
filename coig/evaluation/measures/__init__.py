"""Automatic measures of the answers: length, diversity, language, what they copied, how alike they are."""

from __future__ import annotations

import polars as pl

from coig.evaluation.learned import Learned
from coig.evaluation.measures.copying import measure_copying
from coig.evaluation.measures.recurring import find_recurring
from coig.evaluation.measures.sameness import measure_likeness, measure_sameness
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


def compare_texts(
    answers: pl.DataFrame, samples: pl.DataFrame, learned: Learned, reference: str | None
) -> dict[str, pl.DataFrame]:
    """Compare the answers with what the arms were trained on, and with each other.

    Returns `answers` with the columns of COMPARED filled in, and the tables `memorisation`, `near_copies`,
    `near_prompts`, `sameness` and `recurring`; the first three only if the texts of some arm are known.

    Args:
        answers: the frame of `measure_answers`.
        samples: all answers, first samples included, with the columns that `measure_sameness` reads.
        reference: the arm with general data alone; None without one.
    """
    people = learned.texts.filter(kind="creative")
    compared = answers.with_columns(measure_likeness(answers))
    return {
        "sameness": measure_sameness(samples, people),
        "recurring": find_recurring(answers, people),
        "answers": compared,
        **(measure_copying(compared, learned, reference) if learned.of else {}),
    }
