"""The database of people's judgments: its tables, and how to read it.

It is `multirun/<study>/judgments.sqlite`, or a PostgreSQL database. `annotate.py` writes it, `evaluate.py` reads it. A
task is a set of answers that a rater compares. What the rater says about a task is an event. Events are only ever
added, and a task's last event counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    insert,
    select,
)

from coig.errors import DataError, first_line
from coig.files.timestamps import now
from coig.records.judgment import Judgment
from coig.web.database import open_database

TABLES = MetaData()
SETTINGS = Table(  # what must stay the same while people judge
    "settings",
    TABLES,
    Column("key", String, primary_key=True),
    Column("value", JSON, nullable=False),
)
RATERS = Table(  # the only table with names
    "raters",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("code", String, nullable=False, unique=True),  # in the rater's link
    Column("name", String, nullable=False, unique=True),
    Column("langs", JSON),  # null: not known yet
    Column("joined_at", String, nullable=False),
    Column("agreed_at", String),  # to take part
)
TASKS = Table(
    "tasks",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("rater", ForeignKey("raters.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),  # the rater's first task is 1
    Column("item", String, nullable=False),  # key of query and arms
    Column("query_id", String, nullable=False),
    Column("lang", String, nullable=False),
    Column("genre", String),
    Column("kind", String, nullable=False),  # of judgment that is asked for
    Column("arms", JSON, nullable=False),
    Column("shown", JSON),  # the arms as they stand on the page; null: judged elsewhere
    Column("texts", JSON),  # sha256 of each arm's answer; null: judged elsewhere
    Column("characters", Integer),  # of prompt and answers
    Column("probability", Float),  # of the arms being drawn for the query
    Column("check", String),  # kind of check of the rater's care
    Column("planted", JSON),  # of a check: arms whose text was replaced, or the ranks that were given before
    Column("state", String, nullable=False),  # open, judged, abstained
    Column("lease", Float, nullable=False),  # until when it is the rater's, in seconds since 1970
    UniqueConstraint("rater", "number"),
    Index("tasks_item", "item"),
)
EVENTS = Table(
    "events",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("task", ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("key", String, nullable=False, unique=True),  # made by the client: what is sent twice counts once
    Column("kind", String, nullable=False),
    # {arm: rank}, null for an arm that was not placed; {arm: {dimension: rating}}; or {reason, arms}
    Column("value", JSON, nullable=False),
    Column("good", JSON),
    Column("seconds", Float),  # active: seen, and used within the last minute
    Column("visible", Float),  # seconds on the screen
    Column("read", JSON),
    Column("care", Float),  # of a check, 0–1
    Column("created_at", String, nullable=False),
)
DRAFTS = Table(
    "drafts",
    TABLES,
    Column("task", ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("saved_at", String, nullable=False),
)
ACTS = Table(  # what was done with the study: unblinding, exports, erased raters
    "acts",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("act", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("unblinds", Boolean, nullable=False),
)
DATABASE = "judgments.sqlite"


def log_act(connection: Connection, act: str, detail: str, *, unblinds: bool = False) -> None:
    """Add to the table of acts what is done with the study; `unblinds` if somebody sees which arm is which."""
    connection.execute(insert(ACTS).values(at=now(), act=act, detail=detail, unblinds=unblinds))


def read_database(connection: Connection, study: str, *, history: bool = False) -> list[Judgment]:
    """Return people's judgments in the order of their events, checks and abstentions included, with raters' names.

    An event of ratings gives one judgment for each arm, any other event one.

    Args:
        study: the study's name, which each judgment gets.
        history: also return the judgments that a later one supersedes, and fill in `supersedes`.

    Raises DataError if a row is damaged.
    """
    with _explain_errors(connection):
        sampled = connection.execute(select(SETTINGS.c.value).where(SETTINGS.c.key == "sampled")).scalar()
        share = 1.0 if sampled is None else len(sampled["queries"]) / sampled["of"]
        return _read_judgments(connection, study, history, share)


@contextmanager
def _explain_errors(connection: Connection) -> Iterator[None]:
    """Turn an error of the block about a damaged value into a DataError that names the database."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{connection.engine.url.render_as_string(hide_password=True)}: damaged ({type(error).__name__}: "
            f"{first_line(error)}); bring the database back from a copy"
        ) from None


def _read_judgments(connection: Connection, study: str, history: bool, share: float) -> list[Judgment]:
    """Return the judgments as `read_database` says; their `probability` is multiplied by `share`, 0–1.

    `share` is the share of the queries that were drawn to be judged.
    """
    rows = connection.execute(
        select(EVENTS, TASKS, RATERS.c.name)
        .join(TASKS, EVENTS.c.task == TASKS.c.id)
        .join(RATERS, TASKS.c.rater == RATERS.c.id)
        .order_by(EVENTS.c.id)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    ).all()
    last = {row.events_task: row.events_id for row in rows}
    before: dict[int, str] = {}
    judgments: list[Judgment] = []
    for row in rows:
        superseded = before.get(row.events_task)
        before[row.events_task] = row.events_key
        if history or last[row.events_task] == row.events_id:
            judgments += _judgments_of_event(row, study, superseded if history else None, share)
    return judgments


def _judgments_of_event(row: Row[Any], study: str, superseded: str | None, share: float) -> Iterator[Judgment]:
    """Yield the judgments of an event: one for each arm if its task asks for ratings, otherwise one.

    Args:
        row: an event with its task and the rater's name.
        superseded: key of the event that this one takes back; None if there is none.
        share: the share of queries that were drawn to be judged, 0–1.
    """
    arms: Sequence[str] = row.tasks_arms
    chance = share * (1.0 if row.tasks_probability is None else row.tasks_probability)
    facts: dict[str, Any] = {
        "study": study,
        "query_id": row.tasks_query_id,
        "lang": row.tasks_lang,
        "genre": row.tasks_genre,
        "kind": row.events_kind,
        "rater": row.raters_name,
        "source": "human",
        "order": row.tasks_shown,
        "seconds": row.events_seconds,
        "created_at": row.events_created_at,
        "good": row.events_good,
        "read": row.events_read,
        "probability": chance if chance < 1 else None,
        "check": row.tasks_check,
        "care": row.events_care,
        "characters": row.tasks_characters,
    }
    value = row.events_value
    if row.tasks_kind == "rating":
        for arm in arms:
            own = value["reason"] if row.events_kind == "abstention" else value[arm]
            ids = {"id": f"{row.events_key}/{arm}", "supersedes": superseded and f"{superseded}/{arm}"}
            yield Judgment.model_validate(facts | ids | {"arms": [arm], "value": own})
        return
    if row.events_kind == "abstention":
        told = {"arms": value["arms"], "value": value["reason"]}
    elif row.events_kind == "pairwise":
        first, second = (value[arm] for arm in arms)
        told = {"arms": arms, "value": "tie" if first == second else "a" if first < second else "b"}
    else:
        placed = sum(value[arm] is not None for arm in arms)
        told = {"arms": arms, "value": [value[arm] or placed + 1 for arm in arms]}
        told["placed"] = placed if placed < len(arms) else None
    yield Judgment.model_validate(facts | {"id": row.events_key, "supersedes": superseded} | told)


@dataclass(frozen=True)
class Collected:
    """People's judgments from a database, checks and abstentions included, and the rule that flags raters.

    A rater with at least `least` checks, whose mean result is below `flag_below`, is flagged. `practice` tells whether
    raters practised on examples before they began.
    """

    judgments: list[Judgment]
    least: int
    flag_below: float
    practice: bool = False


def find_database(study: Path, url: str | None) -> Path | str | None:
    """Return the URL unchanged if it is given, otherwise the study's database file; None if that does not exist."""
    file = study / DATABASE
    return url or (file if file.exists() else None)


def judged_languages(place: Path | str) -> list[str]:
    """Return the languages in which people have judged or abstained, each once, in no fixed order."""
    database = open_database(place, TABLES)
    with database.reading() as connection:
        rows = connection.execute(select(TASKS.c.lang).join(EVENTS, EVENTS.c.task == TASKS.c.id).distinct()).all()
    database.close()
    return [str(lang) for (lang,) in rows]


def collect_from(place: Path | str, study: str) -> Collected | None:
    """Return a study's judgments for its evaluation, and add an act to the database: that it was unblinded.

    Returns None, and adds no act, if nobody has judged. Returns None too, but adds the act, if the database has no
    settings of checks. Raises DataError if a row is damaged.
    """
    database = open_database(place, TABLES)
    with database.writing() as connection:
        judgments = read_database(connection, study)
        with _explain_errors(connection):
            settings = {row.key: row.value for row in connection.execute(select(SETTINGS))}
            rule = settings.get("checks")
            flagging = rule and (rule["least"], rule["flag_below"])
        if judgments:
            log_act(connection, "evaluated", f"{len(judgments)} judgments", unblinds=True)
    database.close()
    if not judgments or not flagging:
        return None
    return Collected(judgments, *flagging, practice=settings.get("practice", False))
