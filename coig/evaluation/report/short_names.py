"""Shorten long names of arms for people, the same way in every table, figure and sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from coig.evaluation.report.results import Evaluation
from coig.study.roster import Roster

LONGEST = 32  # characters of a name
TEXTS_OF_MODELS = ("query", "reasoning", "answer")


def shorten_names(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation with long names shortened, and a note that gives each of them in full."""
    names = {name: short for name, short in short_names(evaluation.arms).items() if name != short}
    if not names:
        return evaluation
    contestants = [replace(one, name=names.get(one.name, one.name)) for one in evaluation.roster.contestants]
    tables = {name: _renamed(frame, names) for name, frame in evaluation.tables.items()}
    notes = [_in_text(note, names) for note in evaluation.notes] + [f"{short}: {name}" for name, short in names.items()]
    return replace(evaluation, roster=Roster(tuple(contestants)), tables=tables, notes=tuple(notes))


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return each name with its middle left out if it is long; those that would be alike are numbered."""
    shortened: dict[str, str] = {}
    for name in names:
        half = (LONGEST - 1) // 2
        short = name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"
        alike = sum(other == short or other.startswith(f"{short} #") for other in shortened.values())
        shortened[name] = f"{short} #{alike + 1}" if alike else short
    return shortened


def _renamed(frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    of_names = pl.selectors.string() - pl.selectors.by_name(*TEXTS_OF_MODELS, require_all=False)
    return frame.with_columns(of_names.str.replace_many(list(names), list(names.values())))


def _in_text(text: str, names: dict[str, str]) -> str:
    for name, short in names.items():
        text = text.replace(name, short)
    return text
