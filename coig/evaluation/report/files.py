"""Write an evaluation's files and remove those of an earlier evaluation."""

from __future__ import annotations

import io
from pathlib import Path

from coig.display.figures import render_png, render_svg
from coig.evaluation.report.figures import draw_figures
from coig.evaluation.report.judge_cards import render_cards
from coig.evaluation.report.latex import render_latex_tables
from coig.evaluation.report.page import render_page, render_summary
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.short_names import shorten_names
from coig.files.atomic import write_atomic
from coig.files.tables import write_csv


def write_evaluation(evaluation: Evaluation, folder: Path) -> dict[str, bytes]:
    """Write all files of an evaluation into `folder`, and delete what an earlier evaluation left there.

    The files are tables (CSV and Parquet), judges' cards (JSON), LaTeX sources, figures (SVG and PNG), summary.md and
    report.html. Long names of arms are shortened in all but the tables and the cards. In `folder` and its folders
    latex, figures and judges, every other file is deleted, whoever wrote it, unless it is hidden or has no suffix.
    Returns the SVG figures by name.
    """
    files: dict[str, str | bytes] = {}
    for name, frame in evaluation.nonempty_tables().items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        files |= {f"{name}.csv": write_csv(frame), f"{name}.parquet": buffer.getvalue()}
    files |= render_cards(evaluation)
    evaluation = shorten_names(evaluation)
    files |= {f"latex/{name}.tex": source for name, source in render_latex_tables(evaluation).items()}
    figures = draw_figures(evaluation)
    svgs = {name: render_svg(figure) for name, figure in figures.items()}
    files |= {f"figures/{name}.svg": svg for name, svg in svgs.items()}
    files |= {f"figures/{name}.png": render_png(figure) for name, figure in figures.items()}
    files |= {"summary.md": render_summary(evaluation), "report.html": render_page(evaluation, svgs)}
    for name, content in files.items():
        write_atomic(folder / name, content)
    for part in (folder, folder / "latex", folder / "figures", folder / "judges"):
        for file in part.glob("[!.]*.*"):  # hidden files may be in use by another evaluation
            if file.is_file() and str(file.relative_to(folder)) not in files:
                file.unlink(missing_ok=True)
    return svgs
