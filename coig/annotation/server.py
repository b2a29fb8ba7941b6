"""Serve raters their pages, and store what they send."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Row
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coig.annotation.replies import REASONS, Draft, Sent, Start
from coig.annotation.store import Store, Task
from coig.annotation.texts import Introduction
from coig.web.app import UnknownError, receive, respond
from coig.web.languages import TAGS, language_of_request, read_texts
from coig.web.links import BadLinkError, Links
from coig.web.pages import Pages, render_markdown

FOLDER = Path(__file__).parent / "pages"
AHEAD = 2  # tasks that the page holds, so that it goes on without a network
PARTICIPANT = "PROLIFIC_PID"  # how Prolific, and others who follow it, name a participant in a link


class RaterPages:
    """Answers to the requests of raters' pages."""

    def __init__(self, store: Store, links: Links, introduction: Introduction, pages: Pages) -> None:
        self.store, self.links, self.introduction, self.pages = store, links, introduction, pages

    def routes(self) -> list[Route]:
        """Return the routes of raters' pages."""
        return [
            Route("/r/{token}", self.show_page),
            Route("/r/{token}/task/{number:int}", self.show_task),
            Route("/r/{token}/start", self.start, methods=["POST"]),
            Route("/r/{token}/send", self.save, methods=["POST"]),
            Route("/r/{token}/draft", self.save_draft, methods=["POST"]),
            Route("/join/{token}", self.join),
        ]

    def show_page(self, request: Request) -> Response:
        """Return the rater's page with its first tasks, or with what the rater must read and answer before them.

        Raises BadLinkError if the link in the path is not a rater's.
        """
        rater, lang = self._rater(self._code(request)), language_of_request(request)
        state = self._state(rater, lang) | {"csrf": self.links.csrf(request.path_params["token"])}
        return self.pages.render(request, "rate", state=state, introduction=self.introduction.render(lang))

    def show_task(self, request: Request) -> Response:
        """Return one of the rater's tasks as JSON, with the last verdict on it.

        Raises HTTPException 404 if there is no such task, or its answers are not served now.
        """
        code = self._code(request)
        try:
            return JSONResponse(self._to_json(self.store.find_task(code, request.path_params["number"])))
        except UnknownError as error:
            raise HTTPException(404, str(error)) from None

    async def start(self, request: Request) -> Response:
        """Store that the rater agrees to take part, and the languages; answer with the first tasks and the progress.

        Answers 422 if no language is known or chosen. Raises what `receive` and `respond` raise.
        """
        code, start = self._code(request), await receive(request, self.links, Start)

        def agree() -> dict[str, Any]:
            """Store the consent; return tasks and progress. Raises ValueError without a language."""
            if not (start.langs or self._langs_of(self._rater(code))):
                raise ValueError("langs: choose a language")
            self.store.start(code, start.langs or self._langs())
            return self._progress(code, set())

        return await respond(agree)

    async def save(self, request: Request) -> Response:
        """Store a verdict or an abstention; answer with the rater's progress and next tasks.

        Tasks whose numbers the query parameter `have` lists are left out, as the page has them. Raises what `receive`
        and `respond` raise: 404 for a task that the rater does not have, 422 for a reply that does not fit.
        """
        code, sent = self._code(request), await receive(request, self.links, Sent)
        have = set(request.query_params.get("have", "").split(","))

        def add() -> dict[str, Any]:
            """Store what was sent; return tasks and progress. Raises BadLinkError if the rater was erased."""
            self._rater(code)
            self.store.save(code, sent)
            return self._progress(code, have)

        return await respond(add)

    async def save_draft(self, request: Request) -> Response:
        """Store what the rater has chosen so far on a task, with the time of the choice; answer with {}.

        Raises what `receive` and `respond` raise: 404 for a task that the rater does not have.
        """
        code, draft = self._code(request), await receive(request, self.links, Draft)
        value = draft.draft.model_dump(mode="json") | {"at": draft.at}
        return await respond(lambda: self.store.save_draft(code, draft.number, value))

    def join(self, request: Request) -> Response:
        """Add a rater for a participant whom a recruiting service sends, unless known; redirect to the rater's page.

        Raises HTTPException: 400 if the link's PROLIFIC_PID, the participant's name, is missing, unprintable or longer
        than 80 characters, 410 for a new participant if all places are taken; BadLinkError
        if the link in the path is not the one for recruits.
        """
        self.links.read("join", request.path_params["token"])
        participant = request.query_params.get(PARTICIPANT, "").strip()
        if not 1 <= len(participant) <= 80 or not participant.isprintable():
            raise HTTPException(400, f"{PARTICIPANT}: missing in the link")
        try:
            code = self.store.recruit(participant)
        except UnknownError as error:
            raise HTTPException(410, str(error)) from None
        return RedirectResponse(f"../r/{self.links.sign('rater', code)}", 303)

    def _code(self, request: Request) -> str:
        """Return the rater's code in a request's link. Raises BadLinkError if the link is not a rater's."""
        return self.links.read("rater", request.path_params["token"])

    def _rater(self, code: str) -> Row[Any]:
        """Return the row of the rater with this code. Raises BadLinkError if the rater was erased."""
        try:
            return self.store.find_rater(code)
        except UnknownError:
            raise BadLinkError from None

    def _langs(self) -> list[str]:
        """Return the languages of the queries that are judged, Chinese first."""
        return sorted({item.question.lang for item in self.store.items}, reverse=True)

    def _langs_of(self, rater: Row[Any]) -> list[str]:
        """Return the languages that a rater reads: those stored, else the study's if it has one only, else []."""
        return rater.langs or (self._langs() if len(self._langs()) == 1 else [])

    def _state(self, rater: Row[Any], lang: str) -> dict[str, Any]:
        """Return what the page's script needs: the protocol's settings, with the rater's first tasks and progress.

        Before the rater has agreed, what to ask and to show first stands in place of tasks and progress. `lang` is the
        page's language.
        """
        config, reads = self.store.config, self._langs_of(rater)
        names = read_texts(FOLDER / "dimensions.json", lang)
        state: dict[str, Any] = {
            "protocol": config.protocol.kind,
            "good": config.protocol.good,
            "best": config.protocol.best,
            "dimensions": [{"name": name, "label": names.get(name, name)} for name in config.protocol.dimensions],
            "scale": config.protocol.scale,
            "markdown": config.markdown,
            "reasons": REASONS,
            "completion": config.completion.model_dump(),
            "agreed": rater.agreed_at is not None,
        }
        if rater.agreed_at is not None:
            return state | self._progress(rater.code, set())
        return state | {
            "consent": self.introduction.asks_consent,
            "reads": reads,
            "langs": [] if reads else self._langs(),
            "practice": self.introduction.examples(),
        }

    def _progress(self, code: str, have: set[str]) -> dict[str, Any]:
        """Return {tasks, done, total}: a rater's next tasks and counts, drawing tasks if there are too few.

        Leaves out the tasks whose numbers are in `have`, which the page holds already.
        """
        tasks = [self._to_json(task) for task in self.store.next_tasks(code, AHEAD) if str(task.number) not in have]
        done, total = self.store.count(code)
        return {"tasks": tasks, "done": done, "total": total}

    def _to_json(self, task: Task) -> dict[str, Any]:
        """Return a task as a dict for the page: answers as HTML if the study shows Markdown, otherwise as text."""
        shown = asdict(task) | {"lang": TAGS[task.lang]}
        if self.store.config.markdown:
            shown["answers"] = [_markdown(text) for text in task.answers]
        return shown


@lru_cache(maxsize=4096)
def _markdown(text: str) -> str:
    """Return an answer's Markdown as HTML in which links, images and HTML tags stand as they were written."""
    return str(render_markdown(text, plain=True))
