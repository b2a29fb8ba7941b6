"""Keep what people have opened on the page and not sent yet. A text that somebody has opened is not offered to others.

A draft belongs to a version of the triplet: what was begun on one version is not shown on the next.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from coig.curation.database import DRAFTS
from coig.curation.store import Actor, Text


@dataclass(frozen=True)
class Draft:
    """What somebody has begun. `text` and `by` are the row numbers of a text and an actor."""

    text: int
    by: int
    task: str  # write, score, review, recheck
    version: int  # of the triplet when it was begun; 0: there was none
    value: dict[str, Any]  # as the page made it; {} if it was only opened
    model: dict[str, Any] | None  # the draft that a model wrote, if the writer asked for one
    saved_at: float  # seconds since 1970


def read_drafts(connection: Connection) -> list[Draft]:
    """Return all drafts, in the order in which they were saved last."""
    return [_draft(row) for row in connection.execute(select(DRAFTS).order_by(DRAFTS.c.saved_at))]


def find_draft(connection: Connection, text: Text, by: Actor, task: str) -> Draft | None:
    """Return somebody's draft of a task on the last version of a text's triplet; None if there is none."""
    found = select(DRAFTS).where(*_is_of(text, by, task), DRAFTS.c.version == version_of(text))
    row = connection.execute(found).one_or_none()
    return None if row is None else _draft(row)


def keep_draft(
    connection: Connection, text: Text, by: Actor, task: str, value: Mapping[str, Any], model: Any = None
) -> None:
    """Store somebody's draft of a task in place of an earlier one.

    The model's draft that was stored before for the same version stays, unless `model` is a new one.
    """
    before = find_draft(connection, text, by, task)
    forget_draft(connection, text, by, task)
    kept = model or (before.model if before else None)
    values: dict[str, Any] = {"value": dict(value), "model": kept, "saved_at": time.time()}
    connection.execute(insert(DRAFTS).values(text=text.id, by=by.id, task=task, version=version_of(text), **values))


def forget_draft(connection: Connection, text: Text, by: Actor, task: str) -> None:
    """Delete somebody's draft of a task on a text, if there is one."""
    connection.execute(delete(DRAFTS).where(*_is_of(text, by, task)))


def version_of(text: Text) -> int:
    """Return the number of a text's last version of the triplet, 0 if it has none."""
    return text.triplet.number if text.triplets else 0


def _is_of(text: Text, by: Actor, task: str) -> tuple[Any, ...]:
    """Return the conditions for a draft of somebody's task on a text, of whichever version."""
    return DRAFTS.c.text == text.id, DRAFTS.c.by == by.id, DRAFTS.c.task == task


def _draft(row: Row[Any]) -> Draft:
    """Return a row of the table as a draft."""
    return Draft(row.text, row.by, row.task, row.version, row.value, row.model, row.saved_at)
