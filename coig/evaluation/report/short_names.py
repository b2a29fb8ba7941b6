"""Shorten long names of arms for readers, the same way in every table, figure and note."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from coig.evaluation.report.results import Evaluation
from coig.study.roster import Roster

LONGEST = 32  # characters of a name
UNCHANGED_COLUMNS = ("query", "reasoning", "answer", "text", "span", "prompt", "openings", "names")


def shorten_names(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation with long names of arms shortened, and a further note for each that gives the full name.

    Names are replaced in the roster, the tables and the notes, but not in the sentences of `findings`.
    """
    names = {name: short for name, short in make_short_names(evaluation.arms).items() if name != short}
    if not names:
        return evaluation
    longest_first = dict(sorted(names.items(), key=lambda pair: -len(pair[0])))  # one name may begin with another
    contestants = [replace(one, name=names.get(one.name, one.name)) for one in evaluation.roster.contestants]
    tables = {name: _rename_in_table(frame, longest_first) for name, frame in evaluation.tables.items()}
    notes = [_rename_in_text(note, longest_first) for note in evaluation.notes] + [
        f"{short}: {name}" for name, short in names.items()
    ]
    return replace(evaluation, roster=Roster(tuple(contestants)), tables=tables, notes=tuple(notes))


def make_short_names(names: Iterable[str]) -> dict[str, str]:
    """Return {name: short name}: the middle of a name longer than LONGEST becomes "…".

    Short names that would be equal get a number.
    """
    shortened: dict[str, str] = {}
    for name in names:
        half = (LONGEST - 1) // 2
        short = name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"
        alike = sum(other == short or other.startswith(f"{short} #") for other in shortened.values())
        shortened[name] = f"{short} #{alike + 1}" if alike else short
    return shortened


def _rename_in_table(frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Return a table with the names replaced, also within longer texts, in all text columns but UNCHANGED_COLUMNS.

    Where several names begin at one place, the first of `names` is replaced.
    """
    of_names = pl.selectors.string() - pl.selectors.by_name(*UNCHANGED_COLUMNS, require_all=False)
    return frame.with_columns(of_names.str.replace_many(list(names), list(names.values()), leftmost=True))


def _rename_in_text(text: str, names: dict[str, str]) -> str:
    """Return a text with each name replaced by its short name; where several begin at one place, the first one is."""
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)
