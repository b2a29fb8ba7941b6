"""Print an evaluation's main tables, its question and its notes."""

from __future__ import annotations

from coig.display.numbers import LANGUAGE_NAMES
from coig.display.terminal import make_console, print_table
from coig.evaluation.report.page import question_lines
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import views_in


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the tables whose place is "terminal", by language, then the question with short answers, then the notes."""
    console = make_console()
    for view in views_in("terminal"):
        for lang, cells in view.fill(evaluation):
            print_table(console, cells, f"{LANGUAGE_NAMES[lang]}{view.title}")
    for line in question_lines(evaluation, short=True):
        console.print(line.strip("*"), style="bold" if line.startswith("*") else None)
    for note in evaluation.notes:
        console.print(f"Note: {note}", style="yellow")
