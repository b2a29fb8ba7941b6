r"""Tables for a paper in LaTeX: `\\usepackage{booktabs}`; Chinese names need xelatex and a font that has them."""

from __future__ import annotations

from coig.display.numbers import NONE
from coig.display.tables import Table

ESCAPES = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "|": r"\textbar{}"},
        **{"<": "$<$", ">": "$>$", "−": "$-$", NONE: "--"},
        **{"[": "{[}", "]": "{]}"},  # after `\\` a bracket would be an option
        **{"α": r"$\alpha$", "γ": r"$\gamma$", "θ": r"$\theta$", "\n": " "},
    }
)


def escaped(text: str) -> str:
    """A text with everything that LaTeX would read as a command made harmless."""
    return text.translate(ESCAPES)


def latex(shown: Table, caption: str, label: str) -> str:
    """A floating table with booktabs' rules; numbers stand right."""
    columns = "".join("l" if left else "r" for left in shown.left)
    headings, *rows = (" & ".join(map(escaped, cells)) + r" \\" for cells in (shown.headings, *shown.rows))
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
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
