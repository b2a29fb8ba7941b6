"""Keep raters, their tasks, and what they say about the tasks' answers in the database of people's judgments."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from coig.annotation.assignment import draw_sample
from coig.annotation.checks import measure_care, plant
from coig.annotation.drawing import Drawing
from coig.annotation.replies import Sent, value_of
from coig.config import AnnotateConfig, Protocol
from coig.errors import ConfigError
from coig.files.timestamps import now
from coig.records.judgment_database import DRAFTS, EVENTS, RATERS, SETTINGS, TASKS, log_act
from coig.study.items import AnsweredQuery, make_items
from coig.web.app import UnknownError
from coig.web.database import Database
from coig.web.drafts import is_late


@dataclass(frozen=True)
class Task:
    """A rater's task as the page shows it. It names no arm."""

    number: int
    lang: str
    prompt: str
    answers: tuple[str, ...]  # in the order in which they are shown
    state: str
    draft: dict[str, Any] | None
    verdict: dict[str, Any] | None  # the last one, in the shape of a draft

    @classmethod
    def of(cls, row: Row[Any], question: AnsweredQuery, draft: Any, event: Row[Any] | None) -> Task:
        """Return the task of a row, its query's answers, its draft and its last event; the last two may be None.

        In a check the texts with what was planted stand in place of the answers.
        """
        texts = dict(question.answers)
        if row.planted:
            texts, _ = plant(row.check, {arm: texts[arm] for arm in row.arms}, row.rater, row.number)
        verdict = None if event is None else _to_places(event, row.shown)
        answers = tuple(texts[arm] for arm in row.shown)
        return cls(row.number, question.lang, question.prompt, answers, row.state, draft, verdict)


def _to_places(event: Row[Any], shown: Sequence[str]) -> dict[str, Any]:
    """Return what an event says, with places on the page (from 0) instead of arms, in the shape of a draft.

    It is {groups, good}, {ratings, good} or {reason, note, about}; `about` is empty if it is about all answers.
    """
    if event.kind == "abstention":
        reason, _, note = event.value["reason"].partition(": ")
        about = [shown.index(arm) for arm in event.value["arms"]]
        return {"reason": reason, "note": note, "about": [] if len(about) == len(shown) else about}
    if event.kind == "rating":
        return {"ratings": [event.value[arm] for arm in shown], "good": event.good}
    ranks = sorted({rank for rank in event.value.values() if rank is not None})
    groups = [[place for place, arm in enumerate(shown) if event.value[arm] == rank] for rank in ranks]
    return {"groups": groups, "good": event.good}


class Store:
    """A study's database, with the items that are judged in it."""

    def __init__(self, database: Database, questions: Sequence[AnsweredQuery], config: AnnotateConfig) -> None:
        """Store the study's settings in the database, draw its sample of queries, and make its items.

        Deletes tasks that nobody has judged and that no longer fit. Raises ConfigError if people have judged under
        other settings, or have judged answers that are other texts now.
        """
        self.database, self.config = database, config
        self.questions = {question.query_id: question for question in questions}
        with database.writing() as connection:
            self._check_settings(connection)
            self._check_texts(connection)
            drawn = self._draw_sample(connection, questions)
        chosen = [question for question in questions if question.query_id in drawn]
        self.items = make_items(chosen, config.protocol, config.seed)
        self.drawing = Drawing(self.items, config)

    def _check_settings(self, connection: Connection) -> None:
        """Store the settings that must not change once people have judged; raise ConfigError if one of them has.

        If nobody has judged yet, a change deletes all drawn tasks.
        """
        config = self.config
        wanted = {
            "protocol": config.protocol.model_dump(mode="json"),
            "checks": config.checks.model_dump(mode="json"),
            "seed": config.seed,
            "markdown": config.markdown,
            "practice": config.practice,
        }
        judged = connection.execute(select(func.count()).select_from(EVENTS)).scalar_one()
        stored = {row.key: row.value for row in connection.execute(select(SETTINGS))}
        if "protocol" in stored:  # of an earlier version, which had fewer keys
            stored["protocol"] = Protocol.model_validate(stored["protocol"]).model_dump(mode="json")
        for key, value in wanted.items():
            if judged and key in stored and stored[key] != value:
                raise ConfigError(
                    f"{key}: people have judged with {stored[key]}, not {value}; keep it, or give another study= "
                    "or database="
                )
        if any(stored.get(key, value) != value for key, value in wanted.items()):
            connection.execute(delete(TASKS))  # drawn, but never judged
        for key, value in wanted.items():
            _put(connection, key, value)

    def _check_texts(self, connection: Connection) -> None:
        """Raise ConfigError if an answer that people have judged is another text now.

        Deletes open tasks with an answer that is another text now. Answers that are not served now are not compared.
        """
        known = {query_id: question.hashes(question.answers) for query_id, question in self.questions.items()}
        for row in connection.execute(select(TASKS).where(TASKS.c.texts.is_not(None))).all():
            there = known.get(row.query_id, {})
            changed = [arm for arm, text in row.texts.items() if there.get(arm, text) != text]
            if changed and row.state != "open":
                raise ConfigError(
                    f"{changed[0]}: its answer to query {row.query_id} has changed since people judged it; give "
                    "another study= or database=, or put the old answers back"
                )
            if changed:
                connection.execute(delete(TASKS).where(TASKS.c.id == row.id))

    def _draw_sample(self, connection: Connection, questions: Sequence[AnsweredQuery]) -> set[str]:
        """Return the ids of the queries to judge: all of them, or a sample, which keeps and extends an earlier one.

        Stores the ids of the sample, and of how many queries it was drawn; nothing if there was never a sample.
        """
        earlier = connection.execute(select(SETTINGS.c.value).where(SETTINGS.c.key == "sampled")).scalar()
        if self.config.sample is None and earlier is None:
            return set(self.questions)
        size = min(self.config.sample or len(questions), len(questions))
        drawn = draw_sample(questions, size, self.config.seed, earlier["queries"] if earlier else ())
        _put(connection, "sampled", {"queries": drawn, "of": len(questions)})
        return set(drawn)

    def add_rater(self, name: str, langs: Sequence[str] | None = None) -> str:
        """Add a rater unless there is one of this name; return the code in the rater's link.

        `langs`, unless None, replaces the languages that are stored.
        """
        with self.database.writing() as connection:
            return str(find_or_add_rater(connection, name, langs).code)

    def has_raters(self) -> bool:
        """Tell whether anybody can judge."""
        with self.database.reading() as connection:
            return connection.execute(select(RATERS.c.id).limit(1)).first() is not None

    def recruit(self, name: str) -> str:
        """Return the code of a recruited rater, added if new. Raises UnknownError if all places are taken.

        The rater's name in the database is "recruit " followed by `name`.
        """
        name = f"recruit {name}"
        with self.database.writing() as connection:
            known = connection.execute(select(RATERS.c.code).where(RATERS.c.name == name)).scalar()
            joined = select(func.count()).select_from(RATERS).where(RATERS.c.name.startswith("recruit "))
            if known is None and connection.execute(joined).scalar_one() >= self.config.recruits:
                raise UnknownError("all places are taken")
            return str(known or find_or_add_rater(connection, name, None).code)

    def find_rater(self, code: str) -> Row[Any]:
        """Return a rater's row. Raises UnknownError if there is none, or it was erased."""
        with self.database.reading() as connection:
            return _find_rater(connection, code)

    def start(self, code: str, langs: Sequence[str]) -> None:
        """Store when a rater first agreed to take part, and the languages that the rater reads unless they are known.

        Raises UnknownError if there is no such rater.
        """
        with self.database.writing() as connection:
            rater = _find_rater(connection, code)
            known = rater.langs or sorted(set(langs))
            values = {"langs": known or None, "agreed_at": rater.agreed_at or now()}
            connection.execute(update(RATERS).where(RATERS.c.id == rater.id).values(values))

    def next_tasks(self, code: str, ahead: int) -> list[Task]:
        """Return a rater's open tasks, at most `ahead`, drawing new ones if there are fewer and items are left.

        Renews the leases of all open tasks. Leaves out tasks whose answers are not served now. Raises UnknownError if
        there is no such rater.
        """
        lease = time.time() + 60 * self.config.lease_minutes
        with self.database.writing() as connection:
            rater = _find_rater(connection, code)
            is_open = (TASKS.c.rater == rater.id, TASKS.c.state == "open")
            connection.execute(update(TASKS).where(*is_open).values(lease=lease))
            rows = connection.execute(select(TASKS).where(*is_open).order_by(TASKS.c.number)).all()
            rows = [row for row in rows if self._has(row)]
            while len(rows) < ahead and (row := self.drawing.draw(connection, rater, lease)):
                rows.append(row)
            return [self._task(connection, row) for row in rows[:ahead]]

    def find_task(self, code: str, number: int) -> Task:
        """Return a rater's task by its number. Raises UnknownError if there is none, or it is not served now."""
        with self.database.reading() as connection:
            row = _find_task(connection, code, number)
            if not self._has(row):
                raise UnknownError("its answers are not served now")
            return self._task(connection, row)

    def save_draft(self, code: str, number: int, draft: Mapping[str, Any]) -> None:
        """Store what a rater has chosen but not sent, in place of the task's earlier draft; a late one is left out.

        Raises UnknownError if the rater has no such task.
        """
        with self.database.writing() as connection:
            task = _find_task(connection, code, number)
            kept = connection.execute(select(DRAFTS.c.value).where(DRAFTS.c.task == task.id)).scalar() or {}
            if is_late(draft["at"], kept.get("at", 0)):
                return
            connection.execute(delete(DRAFTS).where(DRAFTS.c.task == task.id))
            connection.execute(insert(DRAFTS).values(task=task.id, value=dict(draft), saved_at=now()))

    def save(self, code: str, sent: Sent) -> None:
        """Add an event that says what a rater sent, mark the task as judged or abstained, and delete its draft.

        Does nothing if the same key was saved for this task before. In a check the event also holds the measured care.
        Raises UnknownError for a task that the rater does not have, ValueError for a reply that does not fit the task,
        or a key of another task.
        """
        with self.database.writing() as connection:
            task = _find_task(connection, code, sent.number)
            known = connection.execute(select(EVENTS.c.task).where(EVENTS.c.key == sent.key)).scalar()
            if known is not None:
                if known != task.id:
                    raise ValueError("key: was used for another task")
                return
            kind, value = value_of(sent, task.shown, self.config.protocol)
            care = None
            if task.check and kind != "abstention":
                planted, before = task.planted, task.planted.get("earlier")
                care = measure_care(task.check, planted, value, before)
            answered = sent.answered
            connection.execute(
                insert(EVENTS).values(
                    task=task.id,
                    key=sent.key,
                    kind=kind,
                    value=value,
                    good=answered.good if kind != "abstention" else None,
                    seconds=answered.seconds,
                    visible=answered.visible,
                    read=dict(zip(task.shown, answered.read, strict=False)) or None,
                    care=care,
                    created_at=now(),
                )
            )
            state = "abstained" if kind == "abstention" else "judged"
            connection.execute(update(TASKS).where(TASKS.c.id == task.id).values(state=state))
            connection.execute(delete(DRAFTS).where(DRAFTS.c.task == task.id))

    def count(self, code: str) -> tuple[int, int | None]:
        """Return how many of a rater's tasks are judged or abstained, and of how many, checks so far included.

        The second number is None if it depends on other raters. Raises UnknownError if there is no such rater.
        """
        with self.database.reading() as connection:
            rater = _find_rater(connection, code)
            of_rater = select(func.count()).select_from(TASKS).where(TASKS.c.rater == rater.id)
            done = connection.execute(of_rater.where(TASKS.c.state != "open")).scalar_one()
            checks = connection.execute(of_rater.where(TASKS.c.check.is_not(None))).scalar_one()
        if self.config.raters_per_query is not None and self.config.queries_per_rater is None:
            return done, None
        all_there = sum(item.question.lang in (rater.langs or ()) for item in self.items)
        most = min(all_there, self.config.queries_per_rater or all_there)
        return done, max(done, most + checks)

    def _has(self, row: Row[Any]) -> bool:
        """Tell whether all answers of a task are served now; `arms=` or `queries=` may leave some out."""
        question = self.questions.get(row.query_id)
        return question is not None and set(row.arms) <= set(question.answers)

    def _task(self, connection: Connection, row: Row[Any]) -> Task:
        """Return the task of a row with its draft and, unless it is open, its last verdict."""
        draft = connection.execute(select(DRAFTS.c.value).where(DRAFTS.c.task == row.id)).scalar()
        last = select(EVENTS).where(EVENTS.c.task == row.id).order_by(EVENTS.c.id.desc()).limit(1)
        event = connection.execute(last).one_or_none() if row.state != "open" else None
        return Task.of(row, self.questions[row.query_id], draft, event)


def erase_rater(database: Database, name: str) -> None:
    """Delete a rater with all tasks, verdicts and drafts, and log that in the database without the name.

    Raises ConfigError if there is no rater of this name.
    """
    with database.writing() as connection:
        rater = connection.execute(select(RATERS).where(RATERS.c.name == name)).one_or_none()
        if rater is None:
            raise ConfigError(f"erase={name}: no rater of this name")
        connection.execute(delete(RATERS).where(RATERS.c.id == rater.id))
        log_act(connection, "erased", "a rater, with all judgments")


def _put(connection: Connection, key: str, value: Any) -> None:
    """Store a setting in the database, in place of its earlier value."""
    connection.execute(delete(SETTINGS).where(SETTINGS.c.key == key))
    connection.execute(insert(SETTINGS).values(key=key, value=value))


def find_or_add_rater(connection: Connection, name: str, langs: Sequence[str] | None) -> Row[Any]:
    """Return the rater of a name, added if new; `langs` replaces the languages that are stored, unless it is None."""
    named = select(RATERS).where(RATERS.c.name == name)
    if connection.execute(named).one_or_none() is None:
        values = {"code": secrets.token_hex(8), "name": name, "joined_at": now()}
        connection.execute(insert(RATERS).values(values))
    if langs is not None:
        connection.execute(update(RATERS).where(RATERS.c.name == name).values(langs=list(langs)))
    return connection.execute(named).one()


def _find_rater(connection: Connection, code: str) -> Row[Any]:
    """Return the row of the rater with this code. Raises UnknownError if there is none."""
    rater = connection.execute(select(RATERS).where(RATERS.c.code == code)).one_or_none()
    if rater is None:
        raise UnknownError("no such rater")
    return rater


def _find_task(connection: Connection, code: str, number: int) -> Row[Any]:
    """Return the row of a rater's task by its number. Raises UnknownError if there is none, or it was imported."""
    found = (
        select(TASKS)
        .join(RATERS, TASKS.c.rater == RATERS.c.id)
        .where(RATERS.c.code == code, TASKS.c.number == number, TASKS.c.shown.is_not(None))
    )
    task = connection.execute(found).one_or_none() if number < 2**31 else None
    if task is None:
        raise UnknownError("no such task")
    return task
