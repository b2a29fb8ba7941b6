"""Read a curation's database, and add to it."""

from __future__ import annotations

import getpass
import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, and_, delete, func, insert, null, select

import coig
from coig.config import CurateConfig
from coig.curation.database import (
    ACTORS,
    CONTENTS,
    DAMAGED,
    DATABASE,
    DRAFTS,
    EVENTS,
    LIKENESSES,
    RUNS,
    TABLES,
    TEXTS,
    VERSIONS,
)
from coig.curation.records import CATEGORIES, State
from coig.files.timestamps import now
from coig.text.cleaning import digest_of
from coig.web.database import Database, open_database

Values = Mapping[str, Any]
CONTENTS_OF_TEXTS = (  # every column with the sha256 of a content, beside the column of the text that it belongs to
    (TEXTS.c.id, TEXTS.c.about),
    (VERSIONS.c.text, VERSIONS.c.sha256),
    (EVENTS.c.text, EVENTS.c.said),
)
_ENDS = EVENTS.alias()  # so that a query of EVENTS can hold this one
TAKEN_DOWN = select(_ENDS.c.text).where(_ENDS.c.state == "taken_down")  # row numbers of texts


@dataclass(frozen=True)
class Actor:
    """Who did something. `code` is a person's pseudonym, a model's or a rule's name; `kind` person, model or rule."""

    id: int
    code: str
    name: str
    kind: str


@dataclass(frozen=True)
class Version:
    """A version of an article ({text}) or a triplet ({prompt, planning, …, article}); {} if it was taken down."""

    id: int
    number: int
    content: dict[str, Any]
    by: Actor
    why: str  # the writer's own words about it if there are any and they are not taken down
    at: str

    @property
    def reasoning(self) -> str:
        """Return the writer's decisions as one text, a paragraph for each category, without headings.

        Raises KeyError for an article, and for a version that was taken down.
        """
        return "\n\n".join(self.content[category] for category in CATEGORIES)


@dataclass(frozen=True)
class Event:
    """What happened to a text; `version` is the number of the triplet's version that it is about."""

    id: int
    kind: str
    state: State | None
    value: dict[str, Any]  # with what was said, unless the text was taken down
    by: Actor
    version: int | None
    at: str


@dataclass(frozen=True)
class Text:
    """A text with its whole history, oldest first. `about` is its row without the text; {} if it was taken down."""

    id: int
    key: str
    lang: str
    genre: str | None
    about: dict[str, Any]
    articles: tuple[Version, ...]
    triplets: tuple[Version, ...]
    events: tuple[Event, ...]

    @cached_property
    def state(self) -> State:
        """Return the text's present state: that of its last event that has one."""
        return next(event.state for event in reversed(self.events) if event.state)

    @property
    def article(self) -> str:
        """Return the article as `ingest` cleaned it last, without a writer's changes; "" if it was taken down."""
        return str(self.articles[-1].content.get("text", ""))

    @property
    def triplet(self) -> Version:
        """Return the last version of the triplet; IndexError if there is none."""
        return self.triplets[-1]

    @property
    def writers(self) -> set[str]:
        """Return the names of all who wrote a version of the triplet."""
        return {version.by.name for version in self.triplets}

    def of_kind(self, kind: str) -> list[Event]:
        """Return the text's events of a kind, oldest first."""
        return [event for event in self.events if event.kind == kind]

    def has_reached(self, state: State) -> bool:
        """Tell whether the text has ever been in a state."""
        return any(event.state == state for event in self.events)


class StoredLikeness(NamedTuple):
    """A pair of similar texts; `other` is another text's key, or the place of a guarded row."""

    key: str
    other: str
    jaccard: float
    containment: float


class Store:
    """A curation's database, opened for one run of a stage."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database: Database = open_database(folder / DATABASE, TABLES)
        self.run: int | None = None

    def start_run(self, config: CurateConfig, stage: str) -> None:
        """Add a run of a stage with its config, version and person; what is added from now on belongs to this run."""
        values: dict[str, Any] = {"stage": stage, "settings": config.model_dump(mode="json", by_alias=True)}
        with self.database.writing() as connection:
            by = Pen(connection, None).find_actor(config.by or getpass.getuser(), "person")
            facts = {"by": by.id, "version": coig.__version__, "at": now()}
            self.run = _insert(connection, RUNS, values | facts)

    @contextmanager
    def writing(self) -> Iterator[Pen]:
        """Yield a pen whose rows are added when the block ends, or not at all if it raises."""
        with self.database.writing() as connection:
            yield Pen(connection, self.run)

    def read_texts(self, states: Collection[State] | None = None, *, brief: bool = False) -> list[Text]:
        """Return the texts that are in one of these states now (None: all texts), in the order in which they came.

        With `brief`, without the contents of articles, triplets and what was said: {} instead.
        """
        last = select(func.max(EVENTS.c.id)).where(EVENTS.c.state.is_not(None)).group_by(EVENTS.c.text)
        of_states = select(EVENTS.c.text).where(EVENTS.c.id.in_(last), EVENTS.c.state.in_(states or ()))
        with self.database.reading() as connection:
            return _read_texts(connection, None if states is None else TEXTS.c.id.in_(of_states), brief=brief)

    def find_texts(self, keys: Collection[str]) -> dict[str, Text]:
        """Return {key: text} for those of the keys that there are."""
        with self.database.reading() as connection:
            return {text.key: text for text in _read_texts(connection, TEXTS.c.key.in_(keys))}

    def find_newest(self) -> int:
        """Return the number of the newest event, 0 if there is none."""
        with self.database.reading() as connection:
            return connection.execute(select(func.max(EVENTS.c.id))).scalar() or 0

    def read_text(self, key: str) -> Text | None:
        """Return the text of a key, None if there is none."""
        with self.database.reading() as connection:
            return next(iter(_read_texts(connection, TEXTS.c.key == key)), None)

    def find_person(self, code: str) -> Actor | None:
        """Return the person of a pseudonym, None if there is none."""
        with self.database.reading() as connection:
            people = (actor for actor in _read_actors(connection).values() if actor.kind == "person")
            return next((actor for actor in people if actor.code == code), None)

    def read_likenesses(self) -> list[StoredLikeness]:
        """Return all pairs of similar texts that were found, in the order in which they were added."""
        columns = (TEXTS.c.key, LIKENESSES.c.other, LIKENESSES.c.jaccard, LIKENESSES.c.containment)
        found = select(*columns).join(TEXTS, LIKENESSES.c.text == TEXTS.c.id).order_by(LIKENESSES.c.id)
        with self.database.reading() as connection:
            return [StoredLikeness(*row) for row in connection.execute(found)]

    def count_damaged(self) -> int:
        """Return how many rows of input files could not be read."""
        with self.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(DAMAGED)).scalar_one()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


class Pen:
    """Adds rows to a curation's database within one transaction."""

    def __init__(self, connection: Connection, run: int | None) -> None:
        self.connection, self._run = connection, run
        self._actors = {actor.name: actor for actor in _read_actors(connection).values()}

    def find_actor(self, name: str, kind: str) -> Actor:
        """Return the actor of a name, added if new; a new person gets a random pseudonym.

        `kind` (person, model or rule) is not used for a known name.
        """
        if name not in self._actors:
            code = f"person-{secrets.token_hex(3)}" if kind == "person" else name
            values = {"code": code, "name": name, "kind": kind, "since": now()}
            self._actors[name] = Actor(_insert(self.connection, ACTORS, values), code, name, kind)
        return self._actors[name]

    def add_text(self, key: str, lang: str, genre: str | None, about: Values) -> int | None:
        """Add a text without versions and events; return its row's number, None if there is a text of this key."""
        if self.connection.execute(select(TEXTS.c.id).where(TEXTS.c.key == key)).scalar() is not None:
            return None
        values: dict[str, Any] = {
            "key": key,
            "about": self._add_content(about),
            "lang": lang,
            "genre": genre,
            "run": self._run,
        }
        return _insert(self.connection, TEXTS, values | {"at": now()})

    def add_version(self, text: int, kind: str, content: Values, by: Actor, why: str) -> int:
        """Add the next version of a text's article or triplet (`kind`); return its row's number, not the version's."""
        numbers = select(func.count()).where(VERSIONS.c.text == text, VERSIONS.c.kind == kind)
        number = self.connection.execute(numbers).scalar_one() + 1
        values: dict[str, Any] = {
            "text": text,
            "kind": kind,
            "number": number,
            "sha256": self._add_content(content),
            "by": by.id,
        }
        return _insert(self.connection, VERSIONS, values | {"why": why, "at": now()})

    def add_event(
        self,
        text: int,
        kind: str,
        state: State | None,
        value: Values,
        by: Actor,
        *,
        said: Values | None = None,
        version: int | None = None,
        key: str | None = None,
    ) -> None:
        """Add an event of a text.

        Args:
            state: the text's new state; None if it stays.
            value: numbers and choices, which stay for good.
            said: what quotes the text or speaks of it, which is deleted if the text is taken down.
            version: the row's number of the triplet's version that the event is about.
            key: the sender's own; it must be new (see `has_event`). None makes a random one.
        """
        values = {"text": text, "kind": kind, "state": state, "value": dict(value), "by": by.id, "version": version}
        values |= {"said": self._add_content(said) if said else None, "key": key or secrets.token_hex(8)}
        self.connection.execute(insert(EVENTS).values(**values, run=self._run, at=now()))

    def has_event(self, key: str) -> bool:
        """Tell whether there is an event with this key."""
        return self.connection.execute(select(EVENTS.c.id).where(EVENTS.c.key == key)).scalar() is not None

    def add_likeness(self, text: int, other: str, jaccard: float, containment: float) -> None:
        """Add a pair of similar texts: a text's row number, and another's key or the place of a guarded row."""
        values = {"text": text, "other": other, "jaccard": jaccard, "containment": containment}
        self.connection.execute(insert(LIKENESSES).values(**values, run=self._run))

    def add_damaged(self, place: str, reason: str) -> None:
        """Add a row that could not be read, unless one of this place is stored."""
        if self.connection.execute(select(DAMAGED.c.id).where(DAMAGED.c.place == place)).scalar() is None:
            self.connection.execute(insert(DAMAGED).values(run=self._run, place=place, reason=reason))

    def read_text(self, key: str) -> Text | None:
        """Return a text as it is within this transaction, None if there is none of this key."""
        return next(iter(_read_texts(self.connection, TEXTS.c.key == key)), None)

    def erase(self, text: Text) -> None:
        """Delete a text's drafts, and the contents of its row, versions and events unless other texts have them too.

        Texts that were taken down before do not count as other texts. The rows themselves stay, as the text's history.
        """
        self.connection.execute(delete(DRAFTS).where(DRAFTS.c.text == text.id))
        own, others = set[str](), set[str]()
        for owner, content in CONTENTS_OF_TEXTS:
            hashes = select(content).where(content.is_not(None))
            own.update(self.connection.execute(hashes.where(owner == text.id)).scalars())
            living = hashes.where(owner != text.id, owner.not_in(TAKEN_DOWN))
            others.update(self.connection.execute(living).scalars())
        for sha256 in own - others:
            self.connection.execute(delete(CONTENTS).where(CONTENTS.c.sha256 == sha256))

    def _add_content(self, content: Values) -> str:
        """Add a content unless it is stored; return the sha256 of its JSON."""
        sha256 = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        if self.connection.execute(select(CONTENTS.c.sha256).where(CONTENTS.c.sha256 == sha256)).scalar() is None:
            self.connection.execute(insert(CONTENTS).values(sha256=sha256, content=dict(content)))
        return sha256


def _insert(connection: Connection, table: Table, values: Values) -> int:
    """Insert a row; return its primary key."""
    added = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert added is not None
    return int(added[0])


def key_of(url: str | None, text: str) -> str:
    """Return the id of a collected text: 16 hex digits of its URL and its text."""
    return digest_of(url or "", text).hex()[:16]


def _read_actors(connection: Connection) -> dict[int, Actor]:
    """Return {row's number: actor} of all actors."""
    return {row.id: Actor(row.id, row.code, row.name, row.kind) for row in connection.execute(select(ACTORS))}


def _read_texts(connection: Connection, which: ColumnElement[bool] | None = None, *, brief: bool = False) -> list[Text]:
    """Return the texts for which a condition holds (None: all), with their histories, in the order they came.

    With `brief`, contents are not read: {} instead.
    """
    rows = connection.execute(_only(select(TEXTS).order_by(TEXTS.c.id), TEXTS.c.id, which)).all()
    actors = _read_actors(connection)
    versions: dict[tuple[int, str], list[Version]] = defaultdict(list)
    numbers: dict[int, int] = {}
    chosen = _with_content(select(VERSIONS), VERSIONS.c.text, VERSIONS.c.sha256, brief).order_by(VERSIONS.c.id)
    for row in connection.execute(_only(chosen, VERSIONS.c.text, which)):
        content = row.content or {}
        version = Version(row.id, row.number, content, actors[row.by], content.get("why", row.why), row.at)
        versions[row.text, row.kind].append(version)
        numbers[row.id] = row.number
    events: dict[int, list[Event]] = defaultdict(list)
    happened = _with_content(select(EVENTS), EVENTS.c.text, EVENTS.c.said, brief).order_by(EVENTS.c.id)
    for row in connection.execute(_only(happened, EVENTS.c.text, which)):
        value, number = row.value | (row.content or {}), numbers.get(row.version)
        events[row.text].append(Event(row.id, row.kind, row.state, value, actors[row.by], number, row.at))
    about = _with_content(select(TEXTS.c.id), TEXTS.c.id, TEXTS.c.about, brief)
    abouts = {row.id: row.content or {} for row in connection.execute(_only(about, TEXTS.c.id, which))}
    return [
        Text(
            row.id,
            row.key,
            row.lang,
            row.genre,
            abouts[row.id],
            tuple(versions[row.id, "article"]),
            tuple(versions[row.id, "triplet"]),
            tuple(events[row.id]),
        )
        for row in rows
    ]


def _only(rows: Select[Any], text: Column[int], which: ColumnElement[bool] | None) -> Select[Any]:
    """Return a query restricted to texts for which a condition holds (None: all); `text` is its column of text ids."""
    return rows if which is None else rows.where(text.in_(select(TEXTS.c.id).where(which)))


def _with_content(rows: Select[Any], text: Column[int], sha256: Column[str], brief: bool) -> Select[Any]:
    """Return a query with a column `content`, null where there is none or the text was taken down; if `brief`, always.

    `text` is its column of text ids. A text that was taken down may share a content with another one that was not.
    """
    if brief:
        return rows.add_columns(null().label("content"))
    is_its_content = and_(sha256 == CONTENTS.c.sha256, text.not_in(TAKEN_DOWN))
    return rows.add_columns(CONTENTS.c.content).outerjoin_from(text.table, CONTENTS, is_its_content)
