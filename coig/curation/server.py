"""Serve people the page on which they write, score and review, and store what they send."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coig.config import CurateConfig
from coig.curation.desk import perform_act, read_act
from coig.curation.drafts import forget_draft, keep_draft, read_drafts, version_of
from coig.curation.messages import Chosen, Kept, Message, Sent
from coig.curation.records import CATEGORIES
from coig.curation.rules import PAPER_RANGES
from coig.curation.showing import list_task, show_task
from coig.curation.store import Actor, Pen, Store, Text
from coig.curation.tasks import OPEN, Task, find_tasks
from coig.web.app import UnknownError, receive, respond
from coig.web.drafts import is_late
from coig.web.links import BadLinkError, Links
from coig.web.pages import Pages

Received = TypeVar("Received", bound=Message)
FOLDER = Path(__file__).parent / "pages"
LINK = "desk"  # the kind of the links
HOUR = 3600.0  # seconds
LISTED = 30  # tasks of a kind in a person's list
Drafter = Callable[[Text], dict[str, str]]  # raises ValueError, saying why there is no draft


class DeskPages:
    """Answers to the requests of the people who write, score and review."""

    def __init__(
        self, store: Store, links: Links, pages: Pages, config: CurateConfig, drafter: Drafter | None = None
    ) -> None:
        """Take what the pages need; `drafter` writes a model's draft of a triplet, None if there is no model."""
        self.store, self.links, self.pages, self.config, self.drafter = store, links, pages, config, drafter
        self._read: tuple[int, list[Text]] | None = None  # the newest event, and the texts as they were after it

    def routes(self) -> list[Route]:
        """Return the routes of the page."""
        return [
            Route("/desk/{token}", self.show_page),
            Route("/desk/{token}/tasks", self.show_tasks),
            Route("/desk/{token}/open", self.open_task, methods=["POST"]),
            Route("/desk/{token}/back", self.put_back, methods=["POST"]),
            Route("/desk/{token}/draft", self.save_draft, methods=["POST"]),
            Route("/desk/{token}/model", self.ask_model, methods=["POST"]),
            Route("/desk/{token}/send", self.save, methods=["POST"]),
        ]

    def show_page(self, request: Request) -> Response:
        """Return the page with the person's tasks. Raises BadLinkError if the link is nobody's of `people`."""
        state = {
            "csrf": self.links.csrf(request.path_params["token"]),
            "tasks": self._tasks(self._person(request)),
            "first": self.config.stage,
            "listed": LISTED,
            "categories": CATEGORIES,
            "ranges": PAPER_RANGES,
            "model": self.config.draft.model if self.drafter else None,
        }
        return self.pages.render(request, "desk", state=state)

    def show_tasks(self, request: Request) -> Response:
        """Return the person's tasks as JSON."""
        return JSONResponse({"tasks": self._tasks(self._person(request))})

    async def open_task(self, request: Request) -> Response:
        """Keep a task for the person, and return all that the page shows of it.

        Answers 404 if the person cannot do it now.
        """
        person, chosen = await self._receive(request, Chosen)

        def keep() -> dict[str, Any]:
            """Store an empty draft unless there is one."""
            with self.store.writing() as pen:
                task = self._find(pen, person, chosen)
                if task.draft is None:
                    keep_draft(pen.connection, task.text, person, task.kind, {})
                return show_task(task, person, self.config.accept)

        return await respond(keep)

    async def put_back(self, request: Request) -> Response:
        """Delete the person's draft of a task, so that others can do it; answer with the person's tasks.

        Answers 404 if the person cannot do it now.
        """
        person, chosen = await self._receive(request, Chosen)

        def forget() -> dict[str, Any]:
            """Delete the draft."""
            with self.store.writing() as pen:
                forget_draft(pen.connection, self._find(pen, person, chosen).text, person, chosen.kind)
            return {"tasks": self._tasks(person)}

        return await respond(forget)

    async def save_draft(self, request: Request) -> Response:
        """Store what the person has done of a task so far, with the time at which it was done; answer with {}.

        A draft that the network has delivered late, after a newer one, is left out. Answers 404 if the
        person cannot do it now, and 422 if the triplet has a newer version than the page showed.
        """
        person, kept = await self._receive(request, Kept)

        def keep() -> None:
            """Store the draft unless there is a newer one."""
            with self.store.writing() as pen:
                task = self._find(pen, person, kept, kept.version)
                if task.draft is None or not is_late(kept.at, task.draft.value.get("at", 0)):
                    keep_draft(pen.connection, task.text, person, kept.kind, kept.draft | {"at": kept.at})

        return await respond(keep)

    async def ask_model(self, request: Request) -> Response:
        """Let the configured model write a draft of a triplet, store it, and answer with its pieces.

        It is stored before the writer sees it, so that what the writer sends is always held against it.
        Answers 404 if drafts are not offered, and 422 if the model wrote none.
        """
        person, chosen = await self._receive(request, Chosen)

        def ask() -> dict[str, Any]:
            """Ask the model, and store its draft."""
            if self.drafter is None or chosen.kind != "write":
                raise UnknownError("no model writes drafts here")
            with self.store.writing() as pen:
                text = self._find(pen, person, chosen).text
            written = self.drafter(text) | {"model": str(self.config.draft.model)}
            with self.store.writing() as pen:
                task = self._find(pen, person, chosen, version_of(text))
                keep_draft(pen.connection, text, person, "write", task.draft.value if task.draft else {}, written)
            return written

        return await respond(ask)

    async def save(self, request: Request) -> Response:
        """Add what the person has done to the text's history; answer with the text's new state and the next tasks.

        An act that was added before is not added again. Answers 404 if the person cannot do it now, and 422 if
        something is missing, or the triplet has a newer version than the page showed.
        """
        person, sent = await self._receive(request, Sent)

        def add() -> dict[str, Any]:
            """Perform the act, unless it was performed before."""
            with self.store.writing() as pen:
                if not pen.has_event(sent.key):
                    task = self._find(pen, person, sent, sent.version)
                    perform_act(pen, read_act(_row(sent, person, task)), self.config.accept)
                    forget_draft(pen.connection, task.text, person, sent.kind)
                text = pen.read_text(sent.text)
                assert text is not None
            return {"state": text.state, "tasks": self._tasks(person)}

        return await respond(add)

    async def _receive(self, request: Request, model: type[Received]) -> tuple[Actor, Received]:
        """Return the person whose link a request has, whom a thread looks up, and the request's message.

        Raises what `_person` and `receive` raise.
        """
        return await run_in_threadpool(self._person, request), await receive(request, self.links, model)

    def _person(self, request: Request) -> Actor:
        """Return the person whose link a request has. Raises BadLinkError unless it is one of `people`."""
        code = self.links.read(LINK, request.path_params["token"])
        person = self.store.find_person(code)
        if person is None or person.name not in self.config.people:
            raise BadLinkError
        return person

    def _tasks(self, person: Actor) -> list[dict[str, Any]]:
        """Return a person's tasks as the page lists them, at most LISTED of each kind."""
        texts = self._open_texts()
        with self.store.database.reading() as connection:
            drafts = read_drafts(connection)
        found = find_tasks(texts, drafts, person, self.config.accept, self._since())
        kinds = {task.kind for task in found}
        listed = [task for kind in kinds for task in [one for one in found if one.kind == kind][:LISTED]]
        whole = self.store.find_texts({task.text.key for task in listed})
        return [list_task(replace(task, text=whole[task.text.key])) for task in listed]

    def _open_texts(self) -> list[Text]:
        """Return the texts that may wait for people, without contents; they are read again only after a change."""
        newest = self.store.find_newest()
        if self._read is None or self._read[0] != newest:
            self._read = newest, self.store.read_texts(OPEN, brief=True)
        return self._read[1]

    def _find(self, pen: Pen, person: Actor, chosen: Chosen, version: int | None = None) -> Task:
        """Return a task that a person can do now.

        Raises UnknownError if there is none, ValueError if the triplet's last version is not `version`; None: any.
        """
        text = pen.read_text(chosen.text)
        found = find_tasks(
            [text] if text else [], read_drafts(pen.connection), person, self.config.accept, self._since()
        )
        task = next((one for one in found if one.kind == chosen.kind), None)
        if task is None:
            raise UnknownError("somebody else has done this, or is doing it")
        if version is not None and version != version_of(task.text):
            raise ValueError("there is a newer version of this triplet; open it again")
        return task

    def _since(self) -> float:
        """Return the time, in seconds since 1970, since which a draft must have been saved to keep its text."""
        return time.time() - HOUR * self.config.lease_hours


def _row(sent: Sent, person: Actor, task: Task) -> dict[str, Any]:
    """Return what was sent as an act's row, with its person and, for a writer, the model's draft if there was one."""
    row = sent.act | {"kind": sent.kind, "text": sent.text, "by": person.name, "key": sent.key}
    if sent.kind != "write":
        return row
    model = task.draft.model if task.draft else None
    if model:
        model = model | {"reasoning": "\n\n".join(model[category] for category in CATEGORIES)}
    return row | {"draft": model}
