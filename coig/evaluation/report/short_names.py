"""Shorten long names of arms for readers, the same way in every table, figure, sentence and note."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import polars as pl
from rich.cells import cell_len

from coig.config.names import shorten_name, shorten_setting
from coig.evaluation.report.results import Evaluation
from coig.study.roster import Roster

LONGEST = 32  # columns of a terminal; if one arm's name is wider, the names of all are shortened
WIDEST = 64  # columns of a terminal that a shortened name may take
COLUMNS_OF_NAMES = ("arm", "opponent", "reference")
UNCHANGED_COLUMNS = ("query", "reasoning", "answer", "text", "span", "prompt", "openings", "names")


def shorten_names(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation with shorter names of arms, and their full names in `full_names`, if any name is long.

    Names and settings are replaced in the roster, the tables, the manifests, the notes and all sentences.
    """
    if all(cell_len(name) <= LONGEST for name in evaluation.arms):
        return evaluation
    names = make_short_names(_names_in(evaluation), evaluation.varied)
    settings = {setting: shorten_setting(setting, evaluation.varied) for setting in _values_of(evaluation, ["setting"])}
    changed = {full: short for full, short in (names | settings).items() if full != short}
    if not changed:
        return evaluation
    longest_first = dict(sorted(changed.items(), key=lambda pair: -len(pair[0])))  # one name may begin with another
    contestants = [replace(one, name=names[one.name]) for one in evaluation.roster.contestants]
    return replace(
        evaluation,
        roster=Roster(tuple(contestants)),
        tables={name: _rename_in_table(frame, longest_first) for name, frame in evaluation.tables.items()},
        findings=_rename_in_texts(evaluation.findings, longest_first),
        notes=_rename_in_texts(evaluation.notes, longest_first),
        judges=_rename_in_texts(tuple(evaluation.judges), longest_first),
        manifests=[one.model_copy(update={"arm": names.get(one.arm, one.arm)}) for one in evaluation.manifests],
        full_names={names[name]: name for name in evaluation.arms if name in changed},
    )


def make_short_names(names: Iterable[str], vary: Sequence[str]) -> dict[str, str]:
    """Return {name: short name}, as `shorten_name` makes them with the keys `vary`; no two names have one short name.

    The middle of a short name wider than WIDEST becomes "…". Names whose short names would be equal stay whole.
    """
    short = {name: _cut(shorten_name(name, vary)) for name in names}
    counts = Counter(short.values())
    return {name: made if counts[made] == 1 else name for name, made in short.items()}


def _cut(name: str) -> str:
    """Return a name with "…" for its middle if it is wider than WIDEST; otherwise unchanged."""
    half = (WIDEST - 1) // 4  # characters; a Chinese one takes two columns
    return name if cell_len(name) <= WIDEST else f"{name[:half]}…{name[-half:]}"


def _names_in(evaluation: Evaluation) -> list[str]:
    """Return the names of the arms, then those in COLUMNS_OF_NAMES, such as an arm's without its seed; each once."""
    return list(dict.fromkeys([*evaluation.arms, *_values_of(evaluation, COLUMNS_OF_NAMES)]))


def _values_of(evaluation: Evaluation, columns: Sequence[str]) -> list[str]:
    """Return the values of the given text columns in all tables, each once; null is left out."""
    parts = [frame[column] for frame in evaluation.tables.values() for column in columns if column in frame.columns]
    return list(dict.fromkeys(value for part in parts for value in part.drop_nulls().unique(maintain_order=True)))


def _rename_in_table(frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Return a table with the names replaced, also within longer texts, in all text columns but UNCHANGED_COLUMNS.

    Where several names begin at one place, the first of `names` is replaced.
    """
    of_names = pl.selectors.string() - pl.selectors.by_name(*UNCHANGED_COLUMNS, require_all=False)
    return frame.with_columns(of_names.str.replace_many(list(names), list(names.values()), leftmost=True))


def _rename_in_texts(value: Any, names: dict[str, str]) -> Any:
    """Return a text, a tuple or a dataclass with the names replaced in all its texts; other values are unchanged.

    Where several names begin at one place in a text, the first of `names` is replaced.
    """
    if isinstance(value, str):
        return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], value)
    if isinstance(value, tuple):
        return tuple(_rename_in_texts(part, names) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: _rename_in_texts(getattr(value, field.name), names) for field in fields(value)}
        return replace(value, **changed)
    return value
