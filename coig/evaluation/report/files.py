"""Write an evaluation's files in place of those of an earlier one."""

from __future__ import annotations

import io
from pathlib import Path

from coig.display.figures import render_png, render_svg
from coig.evaluation.report.figures import figures
from coig.evaluation.report.latex import write_latex
from coig.evaluation.report.page import html, summary
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.short_names import shorten_names
from coig.files.atomic import write_atomic
from coig.files.tables import write_csv


def write_evaluation(evaluation: Evaluation, folder: Path) -> dict[str, bytes]:
    """All files, in place of those of an earlier evaluation; returns the figures as SVG."""
    files: dict[str, str | bytes] = {}
    for name, frame in evaluation.measured().items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        files |= {f"{name}.csv": write_csv(frame), f"{name}.parquet": buffer.getvalue()}
    evaluation = shorten_names(evaluation)
    files |= {f"latex/{name}.tex": source for name, source in write_latex(evaluation).items()}
    drawn = figures(evaluation)
    svgs = {name: render_svg(figure) for name, figure in drawn.items()}
    files |= {f"figures/{name}.svg": svg for name, svg in svgs.items()}
    files |= {f"figures/{name}.png": render_png(figure) for name, figure in drawn.items()}
    files |= {"summary.md": summary(evaluation), "report.html": html(evaluation, svgs)}
    for name, content in files.items():
        write_atomic(folder / name, content)
    for part in (folder, folder / "latex", folder / "figures"):
        for file in part.glob("[!.]*.*"):  # not what another evaluation is writing
            if file.is_file() and str(file.relative_to(folder)) not in files:
                file.unlink(missing_ok=True)
    return svgs
