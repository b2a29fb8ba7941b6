"""Render the report's tables, and its paragraph on methods, in LaTeX, for a paper."""

from __future__ import annotations

from coig.display.latex import escape, render_latex
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import NAMES_IN_FULL, name_table, views_in


def render_latex_tables(evaluation: Evaluation) -> dict[str, str]:
    """Render each table whose place is "latex" in each language; return the sources by file stem (`win_rates_zh`).

    The stem `methods` is the paragraph on how people judged; it is missing if they did not use annotate.py. The stem
    `names` is the table of full names; it is missing if no name is shortened.
    """
    sources = {"methods": escape(evaluation.methods) + "\n"} if evaluation.methods else {}
    if evaluation.full_names:
        sources["names"] = render_latex(name_table(evaluation.full_names), f"{NAMES_IN_FULL}.", "names")
    return sources | {
        f"{view.frame}_{lang}": render_latex(cells, f"{LANGUAGE_NAMES[lang]}: {view.caption}", f"{view.frame}_{lang}")
        for view in views_in("latex")
        for lang, cells in view.fill(evaluation)
    }
