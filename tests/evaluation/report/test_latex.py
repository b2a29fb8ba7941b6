"""The LaTeX files of a report compile, and show every name as it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from coig.evaluation.report.latex import render_latex_tables
from tests.evaluation.synthetic_frames import ARMS, evaluation
from tests.studies import roster_of

HOSTILE = (
    r"a$b%c&d#e_f{g}~h^i\j",
    "[2pt] 武侠「小说」",
    "[b]x[/b] <b>|",
    r"^^41 \\[1em] α−γ",
    'it\'s "q" `r` x--y---z ,,',
)
DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage[scheme=plain]{ctex}
\begin{document}
%s
\end{document}
"""


@pytest.mark.slow
def test_every_table_compiles_whatever_the_arms_are_called(tmp_path: Path) -> None:
    if missing := [program for program in ("xelatex", "pdftotext") if shutil.which(program) is None]:
        pytest.skip(f"needs {missing[0]}: Debian's texlive-xetex, texlive-lang-chinese and poppler-utils")
    renamed = dict(zip(ARMS, HOSTILE, strict=True))
    names = pl.selectors.by_name("arm", "opponent", require_all=False)
    tables = {name: frame.with_columns(names.replace(renamed)) for name, frame in evaluation().tables.items()}
    sources = render_latex_tables(evaluation(tables=tables, roster=roster_of(HOSTILE)))
    assert len(sources) == 6
    for stem, source in sources.items():
        (tmp_path / f"{stem}.tex").write_text(source, encoding="utf-8")
    (tmp_path / "paper.tex").write_text(DOCUMENT % "\n".join(rf"\input{{{stem}}}" for stem in sources))
    compiled = subprocess.run(
        ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=tmp_path, capture_output=True
    )
    assert compiled.returncode == 0, compiled.stdout.decode(errors="replace")[-2000:]
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")
    shown = subprocess.run(["pdftotext", "paper.pdf", "-"], cwd=tmp_path, capture_output=True, check=True).stdout
    text = "".join(shown.decode().split())
    for name in HOSTILE:
        assert text.count("".join(name.split())) >= len(sources), name
