"""The database of a curation: its tables, to which rows are only ever added.

Triggers refuse to change or delete a row. There are two exceptions. Of a text that is taken down the contents are
deleted, and what remains says that there was one, who took it down, when and why. Drafts, which people have not sent
yet, are no part of the history: each replaces the one before.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    event,
)

DATABASE = "curation.sqlite"
TABLES = MetaData()
ACTORS = Table(  # who did something: people, models and rules; the only table with people's names
    "actors",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("code", String, nullable=False, unique=True),  # a person's pseudonym; a model's or a rule's name
    Column("name", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),  # person, model, rule
    Column("since", String, nullable=False),
)
RUNS = Table(
    "runs",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("stage", String, nullable=False),
    Column("settings", JSON, nullable=False),  # the whole config
    Column("version", String, nullable=False),  # of coig
    Column("by", ForeignKey("actors.id"), nullable=False),
    Column("at", String, nullable=False),
)
CONTENTS = Table(  # the texts themselves, each once
    "contents",
    TABLES,
    Column("sha256", String, primary_key=True),
    Column("content", JSON, nullable=False),
)
TEXTS = Table(
    "texts",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),  # its public id: of URL and text as they were collected
    Column("about", String, nullable=False),  # sha256 of the other fields of its row, and its place
    Column("lang", String, nullable=False),
    Column("genre", String),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("at", String, nullable=False),
)
VERSIONS = Table(
    "versions",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("text", ForeignKey("texts.id"), nullable=False),
    Column("kind", String, nullable=False),  # article, triplet
    Column("number", Integer, nullable=False),  # the first is 1
    Column("sha256", String, nullable=False),
    Column("by", ForeignKey("actors.id"), nullable=False),
    Column("why", String, nullable=False),  # quotes nothing; a writer's own words stand in the content
    Column("at", String, nullable=False),
    UniqueConstraint("text", "kind", "number"),
)
EVENTS = Table(  # what happened to a text; its state is that of its last event that has one
    "events",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),  # made by the sender: what is sent twice counts once
    Column("text", ForeignKey("texts.id"), nullable=False),
    Column("version", ForeignKey("versions.id")),  # of the triplet that it is about
    Column("kind", String, nullable=False),
    Column("state", String),  # null: the state stays
    Column("value", JSON, nullable=False),  # numbers and choices
    Column("said", String),  # sha256 of what quotes the text or speaks of it, and is taken down with it
    Column("by", ForeignKey("actors.id"), nullable=False),
    Column("run", ForeignKey("runs.id")),  # of a stage, an import, or the server of a page
    Column("at", String, nullable=False),
    Index("events_text", "text"),
)
LIKENESSES = Table(  # pairs of similar texts
    "likenesses",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("text", ForeignKey("texts.id"), nullable=False),
    Column("other", String, nullable=False),  # a text's key, or the place of a row outside of the curation
    Column("jaccard", Float, nullable=False),
    Column("containment", Float, nullable=False),
)
DAMAGED = Table(  # rows that could not be read
    "damaged",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("place", String, nullable=False, unique=True),
    Column("reason", String, nullable=False),
)
DRAFTS = Table(  # what somebody has opened on the page and not sent yet
    "drafts",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("text", ForeignKey("texts.id"), nullable=False),
    Column("by", ForeignKey("actors.id"), nullable=False),
    Column("task", String, nullable=False),  # write, score, review, recheck
    Column("version", Integer, nullable=False),  # number of the triplet's last version when it was opened; 0: none
    Column("value", JSON, nullable=False),  # as the page made it; {} if nothing is written yet
    Column("model", JSON),  # the model's draft that the writer asked for
    Column("saved_at", Float, nullable=False),  # seconds since 1970
    UniqueConstraint("text", "by", "task"),
)


def _forbid(table: Table, change: str) -> None:
    """Make SQLite refuse `change` (UPDATE or DELETE) of a table's rows, by a trigger that is made with the table."""
    trigger = DDL(  # type: ignore[no-untyped-call]
        f"CREATE TRIGGER {table.name}_{change.lower()} BEFORE {change} ON {table.name} "
        f"BEGIN SELECT RAISE(ABORT, '{table.name}: rows are only ever added'); END"
    )
    event.listen(table, "after_create", trigger.execute_if(dialect="sqlite"))


for _table in TABLES.sorted_tables:
    if _table is not DRAFTS:
        _forbid(_table, "UPDATE")
    if _table not in (CONTENTS, DRAFTS):
        _forbid(_table, "DELETE")
