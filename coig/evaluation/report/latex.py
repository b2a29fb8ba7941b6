"""The report's tables for a paper, in LaTeX."""

from __future__ import annotations

from coig.display.latex import latex
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import views_in


def write_latex(evaluation: Evaluation) -> dict[str, str]:
    """Return the sources by their files' stems: `win_rates_zh`, `strengths_zh`, `automatic_zh` …"""
    return {
        f"{view.frame}_{lang}": latex(cells, f"{LANGUAGE_NAMES[lang]}: {view.caption}", f"{view.frame}_{lang}")
        for view in views_in("latex")
        for lang, cells in view.fill(evaluation)
    }
