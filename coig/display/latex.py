r"""Render tables in LaTeX, with `\usepackage{booktabs}`; Chinese names need xelatex and a Chinese font."""

from __future__ import annotations

import re

from coig.display.numbers import NONE
from coig.display.tables import Table

ESCAPES = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "|": r"\textbar{}"},
        **{"'": r"\textquotesingle{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}"},
        **{"<": "$<$", ">": "$>$", "−": "$-$", NONE: "--"},
        **{"[": "{[}", "]": "{]}"},  # after `\\` a bracket would be an option
        **{"α": r"$\alpha$", "γ": r"$\gamma$", "θ": r"$\theta$", "\n": " "},
    }
)
PAIRS = re.compile("(?<=-)(?=-)|(?<=,)(?=,)")  # between characters of which LaTeX makes one, a dash or a quotation mark


def escape(text: str) -> str:
    """Escape what LaTeX would read as commands or print as other characters; a line break becomes a space."""
    return "{}".join(part.translate(ESCAPES) for part in PAIRS.split(text))


def render_latex(table: Table, caption: str, label: str) -> str:
    r"""Render a table as a floating LaTeX table with booktabs rules, a caption, and the `\label` tab:`label`.

    Columns that are not `left` are right-aligned. Caption and cells are escaped, `label` is not.
    """
    columns = "".join("l" if left else "r" for left in table.left)
    headings, *rows = (" & ".join(map(escape, cells)) + r" \\" for cells in (table.headings, *table.rows))
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        headings,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
