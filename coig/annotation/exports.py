"""Export people's judgments from the database to files, and import judgments that were made elsewhere."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from coig.annotation.store import Store, find_or_add_rater
from coig.errors import ConfigError, DataError
from coig.files.atomic import write_atomic
from coig.files.timestamps import now
from coig.records.authors import arm_of_file
from coig.records.judgment import Judgment, read_judgments
from coig.records.judgment_database import DRAFTS, EVENTS, TASKS, log_act, read_database
from coig.study.items import AnsweredQuery
from coig.study.raters import make_pseudonym

log = logging.getLogger(__name__)
AUTHORS_NAMES = {"general": "baseline", "cw": "origin"}  # arm → how the authors' file names call it


def export_judgments(store: Store, study: Path, form: str, *, history: bool) -> None:
    """Write a study's judgments to files in its folder `exports/`, with pseudonyms instead of raters' names.

    Logs the files, and adds an act to the database which says that the study was unblinded.

    Args:
        form: "jsonl": one file of all judgments, checks and abstentions included; "authors": one file of rankings for
            each rater, without checks and abstentions.
        history: also write the judgments that a later one supersedes; only with "jsonl".

    Raises ConfigError if there is nothing to write, `history` is given with "authors", or the authors' format cannot
    hold a judgment.
    """
    if history and form != "jsonl":
        raise ConfigError(f"history=true: export={form} holds last judgments only; write export=jsonl")
    with store.database.reading() as connection:
        judgments = read_database(connection, study.name, history=history)
    kept = judgments if form == "jsonl" else [one for one in judgments if one.is_evidence]
    named = [one.model_copy(update={"rater": make_pseudonym(one.rater, study)}) for one in kept]
    folder = study / "exports"
    if form == "jsonl":
        lines = "".join(json.dumps(one.model_dump(exclude_none=True), ensure_ascii=False) + "\n" for one in named)
        files = {"judgments.jsonl": lines}
    else:
        files = _to_authors(named, store.questions)
    if not named:
        raise ConfigError(f"export={form}: {store.database.name} has nothing of that kind yet")
    for name, content in files.items():
        write_atomic(folder / name, content)
        log.info("%s", folder / name)
    with store.database.writing() as connection:
        log_act(connection, "exported", f"{len(named)} judgments as {form}", unblinds=True)


def _to_authors(judgments: Sequence[Judgment], questions: Mapping[str, AnsweredQuery]) -> dict[str, str]:
    """Return {file name: JSON}, one file of rankings for each rater, as the authors' page exports them.

    Raises ConfigError for a judgment that is no ranking of all answers, and for an arm, query or query id that the
    format cannot hold.
    """
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in judgments:
        if one.kind != "ranking" or not isinstance(one.value, list):
            raise ConfigError(f"export=authors: holds rankings only, not a {one.kind}; write export=jsonl")
        if one.placed is not None:
            raise ConfigError("export=authors: holds rankings of all answers, not of the best; write export=jsonl")
        question = questions.get(one.query_id)
        if question is None or not one.query_id.startswith(f"{one.lang}-"):
            raise ConfigError(
                f"export=authors: query {one.query_id} is not among the answers, or its id does not begin with "
                f"'{one.lang}-'; write export=jsonl"
            )
        ranked = sorted(zip(one.value, one.arms, strict=True))
        row = {
            "sequence_number": len(rows[one.rater]) + 1,
            "question_id": one.query_id.removeprefix(f"{one.lang}-"),
            "prompt": question.prompt,
            "ranked_responses": [
                {
                    "rank": int(rank),
                    "source_file": _file_of_arm(arm, one.lang),
                    "my_response": question.answers.get(arm, ""),
                }
                for rank, arm in ranked
            ],
        }
        rows[one.rater].append(row)
    return {
        f"authors/{rater}.json": json.dumps(of_rater, ensure_ascii=False, indent=2) for rater, of_rater in rows.items()
    }


def _file_of_arm(arm: str, lang: str) -> str:
    """Return the file name that stands for an arm in the authors' format. Raises ConfigError if the arm has none."""
    name = f"writing_{lang}_{AUTHORS_NAMES.get(arm, arm.removeprefix('cw+'))}.json"
    try:
        known = arm_of_file(name)
    except ValueError:
        known = None
    if known != arm:
        raise ConfigError(f"export=authors: arm {arm} has no name in the authors' format; write export=jsonl")
    return name


def import_judgments(store: Store, files: Sequence[Path], study: str) -> None:
    """Add judgments from files to the database; their raters, added if new, are not asked the same again.

    A page is what one rater said about one query, or about one pair of its answers. Checks, failures, superseded
    judgments, those of judge models, and pages that the rater has judged here already are left out. Logs how many pages
    were added. Raises DataError, and adds nothing, if one judgment is not of the kind that the study's protocol asks
    for, or is about an arm or query that the study does not have.
    """
    read = [pair for file in files for pair in read_judgments(file, study)]
    superseded = {one.supersedes for _, one in read if one.supersedes}
    pages: dict[tuple[Any, ...], list[tuple[str, Judgment]]] = defaultdict(list)
    for place, one in read:
        if one.check is None and one.failure is None and one.source == "human" and one.id not in superseded:
            pair = tuple(sorted(one.arms)) if one.kind == "pairwise" else ()
            pages[one.rater, one.query_id, pair].append((place, one))
    added = 0
    with store.database.writing() as connection:
        for page in pages.values():
            added += _add_page(connection, store, page)
    log.info("%d of %d pages of judgments added, the others are there already", added, len(pages))


def _add_page(connection: Connection, store: Store, page: Sequence[tuple[str, Judgment]]) -> bool:
    """Add a page as a task with one event; return False, and add nothing, if the rater has judged the item here.

    Takes over the rater's open task of the same item if there is one. Raises DataError for a page that does not fit the
    study.
    """
    place, first = page[0]
    arms = {arm for _, one in page for arm in one.arms}
    of_query = (item for item in store.items if item.question.query_id == first.query_id)
    item = next((item for item in of_query if arms <= set(item.arms)), None)
    kinds = {"abstention", store.drawing.kind}
    if item is None or first.kind not in kinds or (first.kind == "rating" and len(page) < len(item.arms)):
        raise DataError(
            f"{place}: is no {store.drawing.kind} of answers that this study compares (query {first.query_id}, "
            f"{', '.join(first.arms)}); leave it out"
        )
    rater = find_or_add_rater(connection, first.rater, None)
    mine = select(TASKS.c.id, TASKS.c.state).where(TASKS.c.rater == rater.id, TASKS.c.item == item.key)
    tasks = connection.execute(mine).all()
    if any(task.state != "open" for task in tasks):
        return False
    last = connection.execute(select(func.max(TASKS.c.number)).where(TASKS.c.rater == rater.id)).scalar()
    values = store.drawing.values_of(item) | {
        "shown": first.order and list(first.order),
        "texts": None,
        "lease": 0.0,
        "state": "abstained" if first.kind == "abstention" else "judged",
    }
    if tasks:  # the rater has the item on the page; what is sent from there is the later word
        task = tasks[0].id
        connection.execute(update(TASKS).where(TASKS.c.id == task).values(values))
        connection.execute(delete(DRAFTS).where(DRAFTS.c.task == task))
    else:
        values |= {"rater": rater.id, "number": (last or 0) + 1}
        task = connection.execute(insert(TASKS).values(values).returning(TASKS.c.id)).scalar_one()
    event = {
        "task": task,
        "key": _key_of(first),
        "kind": first.kind,
        "value": _value_of(page),
        "good": first.good,
        "seconds": first.seconds,
        "read": first.read,
        "created_at": first.created_at or now(),
    }
    connection.execute(insert(EVENTS).values(event))
    return True


def _value_of(page: Sequence[tuple[str, Judgment]]) -> dict[str, Any]:
    """Return the value of an event that says what a page says: {arm: rank}, {arm: ratings} or {reason, arms}.

    The rank of an arm that was not placed is None.
    """
    first = page[0][1]
    if first.kind == "abstention":
        return {"reason": first.value, "arms": [arm for _, one in page for arm in one.arms]}
    if first.kind == "rating":
        return {one.arms[0]: one.value for _, one in page}
    if isinstance(first.value, list):
        ranks = {arm: int(rank) for arm, rank in zip(first.arms, first.value, strict=True)}
        return {arm: None if first.placed and rank > first.placed else rank for arm, rank in ranks.items()}
    a, b = first.arms
    return {"a": {a: 1, b: 2}, "b": {a: 2, b: 1}, "tie": {a: 1, b: 1}}[str(first.value)]


def _key_of(one: Judgment) -> str:
    """Return the key of an imported event: the judgment's id without its arm or, if it has no id, a hash of it."""
    if one.id:
        return one.id.removesuffix(f"/{one.arms[0]}")
    said = json.dumps([one.query_id, one.lang, one.rater, one.kind, one.arms, one.value], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
