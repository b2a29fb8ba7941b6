"""Evaluating a study: measure the answers, print the tables, write them with figures and a report."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from coig.evaluation.answers import read_answers
from coig.evaluation.figures import LANGUAGE_NAMES, figures, rendered
from coig.evaluation.report import html, summary
from coig.evaluation.tables import COLUMNS, automatic_table, readable
from coig.schema import EvaluateConfig
from coig.study import find_done_arms, find_study, write_atomic

log = logging.getLogger(__name__)


def evaluate(config: EvaluateConfig) -> None:
    """Measure the answers of a study's arms and write `evaluation/` in its folder."""
    study = find_study(config.study)
    arms, untrained = find_done_arms(study, config.arms)
    answers = read_answers(arms, config.queries)
    table = automatic_table(answers)
    notes = [f"{name} is not trained to its end and is left out." for name in untrained]
    notes += _notes(answers, [arm.name for arm in arms])
    folder = study / "evaluation"
    _write_frame(folder / "automatic", table)
    _write_frame(folder / "answers", answers)
    svgs = {}
    for name, figure in figures(answers, table).items():
        svgs[name] = rendered(figure, "svg")
        write_atomic(folder / "figures" / f"{name}.svg", svgs[name])
        write_atomic(folder / "figures" / f"{name}.png", rendered(figure, "png"))
    shown = [arm.manifest() for arm in arms if arm.name in set(answers["arm"])]
    write_atomic(folder / "summary.md", summary(study.name, table, notes))
    write_atomic(folder / "report.html", html(study.name, table, answers, shown, svgs, notes))
    _print(table, notes)
    log.info("Report: %s", (folder / "report.html").absolute())


def _notes(answers: pl.DataFrame, arms: list[str]) -> list[str]:
    """What a reader must know before comparing arms."""
    counts = dict(answers.group_by("arm").len().iter_rows())
    most = answers["query_id"].n_unique()
    notes = [f"{arm} has no answers and is left out." for arm in arms if arm not in counts]
    return notes + [
        f"{arm} has answered {counts[arm]} of {most} queries: its figures are not comparable with the others'."
        for arm in arms
        if counts.get(arm, most) < most
    ]


def _write_frame(path: Path, frame: pl.DataFrame) -> None:
    write_atomic(path.with_suffix(".csv"), frame.write_csv())
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_atomic(path.with_suffix(".parquet"), buffer.getvalue())


def _print(table: pl.DataFrame, notes: list[str]) -> None:
    console = Console()
    for lang in table["lang"].unique(maintain_order=True):
        printed = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
        printed.title = LANGUAGE_NAMES[lang]
        for column in COLUMNS.values():
            printed.add_column(column, justify="left" if column == "arm" else "right", no_wrap=True)
        for row in table.filter(pl.col("lang") == lang).iter_rows(named=True):
            printed.add_row(*readable(row))
        console.print(printed)
    for note in notes:
        console.print(f"Note: {note}", style="yellow")
