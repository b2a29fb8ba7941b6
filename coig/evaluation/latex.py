r"""Tables for a paper in LaTeX: `\usepackage{booktabs}`; Chinese names need xelatex and a font that has them."""

from __future__ import annotations

from coig.evaluation.columns import AUTOMATIC, STRENGTHS
from coig.evaluation.formatting import LANGUAGE_NAMES, NONE, Table, table
from coig.evaluation.results import Evaluation, all_genres, by_language
from coig.evaluation.sections import win_rate_matrix

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


def tables(evaluation: Evaluation) -> dict[str, str]:
    """The paper's tables by their file names' stems: `win_rates_zh`, `strengths_zh`, `automatic_zh` …"""
    found = {}
    if (win_rates := evaluation.measured("win_rates")) is not None:
        for lang, part in by_language(all_genres(win_rates)):
            caption = f"{LANGUAGE_NAMES[lang]}: win rate of the row's arm over the column's, per cent."
            found[f"win_rates_{lang}"] = latex(win_rate_matrix(part, evaluation.arms), caption, f"win_rates_{lang}")
    captions = {
        "strengths": (STRENGTHS, "Bradley–Terry strengths with ties (Davidson 1970) and 95 % intervals over prompts."),
        "automatic": (AUTOMATIC, "automatic measures of the answers, reasoning left out."),
    }
    for name, (columns, caption) in captions.items():
        if (frame := evaluation.measured(name)) is not None:
            for lang, part in by_language(frame):
                rows = table(part.iter_rows(named=True), columns)
                found[f"{name}_{lang}"] = latex(rows, f"{LANGUAGE_NAMES[lang]}: {caption}", f"{name}_{lang}")
    return found
