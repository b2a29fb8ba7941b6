"""Print an evaluation's main tables, its question, its notes and the full names of its arms."""

from __future__ import annotations

from coig.display.numbers import LANGUAGE_NAMES
from coig.display.terminal import make_console, print_table
from coig.evaluation.report.page import question_lines
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import NAMES_IN_FULL, name_table, views_in


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the tables whose place is "terminal", by language, then the question with short answers and the notes.

    Arms that are shown by a short name are listed with their full names before the notes.
    """
    console = make_console()
    for view in views_in("terminal"):
        for lang, cells in view.fill(evaluation):
            print_table(console, cells, f"{LANGUAGE_NAMES[lang]}{view.title}")
    for line in question_lines(evaluation, short=True):
        console.print(line.strip("*"), style="bold" if line.startswith("*") else None)
    if evaluation.full_names:
        print_table(console, name_table(evaluation.full_names), NAMES_IN_FULL)
    for note in evaluation.notes:
        console.print(f"Note: {note}", style="yellow")
