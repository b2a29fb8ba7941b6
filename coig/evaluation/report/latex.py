"""Render the report's tables in LaTeX, for a paper."""

from __future__ import annotations

from coig.display.latex import render_latex
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import views_in


def render_latex_tables(evaluation: Evaluation) -> dict[str, str]:
    """Render each table and language; return the sources by file stem, such as `win_rates_zh`."""
    return {
        f"{view.frame}_{lang}": render_latex(cells, f"{LANGUAGE_NAMES[lang]}: {view.caption}", f"{view.frame}_{lang}")
        for view in views_in("latex")
        for lang, cells in view.fill(evaluation)
    }
