"""Render the report's tables, and its paragraph on methods, in LaTeX, for a paper."""

from __future__ import annotations

from coig.display.latex import escape, render_latex
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import views_in


def render_latex_tables(evaluation: Evaluation) -> dict[str, str]:
    """Render each table whose place is "latex" in each language; return the sources by file stem (`win_rates_zh`).

    The stem `methods` is the paragraph on how people judged; it is missing if they did not use annotate.py.
    """
    methods = {"methods": escape(evaluation.methods) + "\n"} if evaluation.methods else {}
    return methods | {
        f"{view.frame}_{lang}": render_latex(cells, f"{LANGUAGE_NAMES[lang]}: {view.caption}", f"{view.frame}_{lang}")
        for view in views_in("latex")
        for lang, cells in view.fill(evaluation)
    }
