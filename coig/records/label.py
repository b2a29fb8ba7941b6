"""Labels of reasoning steps by people and models: rows of {arm, query_id, step, label, labeller}."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ValidationInfo, model_validator

from coig.errors import DataError, suggestion
from coig.records.judgment import JudgeFacts
from coig.records.record import Record, Text, read_records

Behaviour = Literal["normal writing", "deep reasoning", "self-exploration", "self-reflection"]
NEEDED = ("arm", "query_id", "step", "label", "labeller")
BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)  # in the order in which the paper names them


def _name(value: Any, info: ValidationInfo) -> str:
    """Return a name without white space around it. Raises ValueError unless it is a printable text, not blank."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"{info.field_name}: {value!r} is no name; write a text")
    return value.strip()


def _step(value: Any) -> int:
    """Return a step's number, also from a text of digits. Raises ValueError unless it is a whole number from 0 on."""
    if isinstance(value, str) and value.strip().isdecimal():  # a cell of a table
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"step: {value!r} is no step; count them from 0")
    return value


def _behaviour(value: Any) -> Any:
    """Return a behaviour unchanged. Raises ValueError, with the most similar one, if it is none of BEHAVIOURS."""
    if value not in BEHAVIOURS:
        raise ValueError(f"label: {value!r} is no behaviour" + suggestion(str(value), list(BEHAVIOURS)))
    return value


Name = Annotated[str, BeforeValidator(_name)]


class Label(Record):
    """A labeller's label of one step of an arm's reasoning; steps are counted from 0."""

    arm: Name
    query_id: Text
    step: Annotated[int, BeforeValidator(_step)]
    label: Annotated[Behaviour, BeforeValidator(_behaviour)]
    labeller: Name
    judge: JudgeFacts | None = None  # a model that labelled
    shown: str | None = None  # digest of the step's text that it was shown

    @model_validator(mode="before")
    @classmethod
    def _has_all_keys(cls, row: Any) -> Any:
        """Return the row unchanged. Raises ValueError that names the first key of NEEDED that a dict lacks."""
        if isinstance(row, dict) and (missing := [key for key in NEEDED if key not in row]):
            lacks = f" without {missing[0]}" if row else ""
            raise ValueError(f"is no label{lacks}; write {{{', '.join(NEEDED)}}}")
        return row


def read_labels(*files: Path) -> list[Label]:
    """Return the labels of files, in order; a file named twice is read once.

    Raises DataError with file, line and remedy for a line that is no label, or if a labeller labels a step twice.
    """
    places: dict[tuple[Any, ...], str] = {}
    labels = []
    each_once = {file.resolve(): file for file in files}.values()
    for place, label in (pair for file in each_once for pair in read_records(file, Label)):
        step = label.arm, label.query_id, label.step, label.labeller
        if step in places:
            raise DataError(
                f"{place}: {label.labeller} has labelled this step at {places[step]} already; remove one line"
            )
        places[step] = place
        labels.append(label)
    return labels
