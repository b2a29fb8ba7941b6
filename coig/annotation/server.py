"""Serve raters their pages, and store what they send."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coig.annotation.replies import REASONS, Draft, Sent, Start
from coig.annotation.store import Store, Task, UnknownError
from coig.annotation.texts import Introduction
from coig.web.app import Pages, receive, render_markdown
from coig.web.languages import TAGS, language_of_request, read_texts
from coig.web.links import BadLinkError, Links

FOLDER = Path(__file__).parent / "pages"
AHEAD = 2  # tasks that the page holds, so that it goes on without a network
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
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
        """Serve the page, with everything that it needs for the rater's next tasks."""
        code, lang = self._code(request), language_of_request(request)
        rater = self._rater(code)
        texts = read_texts(FOLDER / "texts.json", lang)
        token = request.path_params["token"]
        state = self._state(rater, lang) | {"csrf": self.links.csrf(token), "texts": texts}
        other = "en" if lang == "zh" else "zh"
        shown = {"lang": TAGS[lang], "other": other, "texts": texts, "state": to_script(state)}
        return self.pages.render("rate.html.j2", **shown, introduction=self.introduction.render(lang))

    def show_task(self, request: Request) -> Response:
        """Serve one of the rater's tasks, with the last verdict on it."""
        code = self._code(request)
        try:
            return JSONResponse(self._to_json(self.store.find_task(code, request.path_params["number"])))
        except UnknownError as error:
            raise HTTPException(404, str(error)) from None

    async def start(self, request: Request) -> Response:
        """Store that the rater agrees; return the first tasks."""
        code, start = self._code(request), await receive(request, self.links, Start)

        def agree() -> dict[str, Any]:
            if not (start.langs or self._rater(code).langs or len(self._langs()) == 1):
                raise HTTPException(422, "langs: choose a language")
            self.store.start(code, start.langs or self._langs())
            return self._state(self._rater(code), language_of_request(request))

        return JSONResponse(await run_in_threadpool(agree))

    async def save(self, request: Request) -> Response:
        """Store a verdict or an abstention; return the rater's progress and next tasks, but those in `have`."""
        code, sent = self._code(request), await receive(request, self.links, Sent)
        have = set(request.query_params.get("have", "").split(","))

        def add() -> dict[str, Any]:
            self._rater(code)
            self.store.save(code, sent)
            return self._progress(code, have)

        return JSONResponse(await self._call(add))

    async def save_draft(self, request: Request) -> Response:
        """Store what the rater has chosen so far."""
        code, draft = self._code(request), await receive(request, self.links, Draft)
        value = draft.draft.model_dump(mode="json") | {"at": draft.at}
        await self._call(lambda: self.store.save_draft(code, draft.number, value))
        return JSONResponse({})

    def join(self, request: Request) -> Response:
        """Make a rater of a participant whom a recruiting service sends, and lead to the rater's own page."""
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
        return self.links.read("rater", request.path_params["token"])

    def _rater(self, code: str) -> Row[Any]:
        """Return a rater's row. Raises BadLinkError if the rater was erased."""
        try:
            return self.store.find_rater(code)
        except UnknownError:
            raise BadLinkError from None

    async def _call(self, change: Any) -> Any:
        """Call a function that changes the database, in a thread; a refusal becomes an HTTPException."""
        try:
            return await run_in_threadpool(change)
        except UnknownError as error:
            raise HTTPException(404, str(error)) from None
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    def _langs(self) -> list[str]:
        """Return the languages of the study's queries."""
        return sorted({item.question.lang for item in self.store.items}, reverse=True)

    def _state(self, rater: Row[Any], lang: str) -> dict[str, Any]:
        """Return what the page needs of a rater: the first tasks, or what to ask before them."""
        config = self.store.config
        names = read_texts(FOLDER / "dimensions.json", lang)
        state: dict[str, Any] = {
            "protocol": config.protocol.kind,
            "good": config.protocol.good,
            "dimensions": [{"name": name, "label": names.get(name, name)} for name in config.protocol.dimensions],
            "scale": config.protocol.scale,
            "markdown": config.markdown,
            "reasons": REASONS,
            "agreed": rater.agreed_at is not None,
            "consent": self.introduction.asks_consent,
            "langs": [] if rater.langs or len(self._langs()) == 1 else self._langs(),
            "completion": config.completion.model_dump(),
        }
        return state | (self._progress(rater.code, set()) if state["agreed"] else {})

    def _progress(self, code: str, have: set[str]) -> dict[str, Any]:
        """Return a rater's next tasks, without the texts of those that the page has, and how many are done."""
        tasks = [self._to_json(task) for task in self.store.next_tasks(code, AHEAD) if str(task.number) not in have]
        done, total = self.store.count(code)
        return {"tasks": tasks, "done": done, "total": total}

    def _to_json(self, task: Task) -> dict[str, Any]:
        """Return a task for the page: answers as HTML if the study shows Markdown, otherwise as text."""
        shown = asdict(task) | {"lang": TAGS[task.lang]}
        if self.store.config.markdown:
            shown["answers"] = [_markdown(text) for text in task.answers]
        return shown


@lru_cache(maxsize=4096)
def _markdown(text: str) -> str:
    return render_markdown(text, plain=True)


def to_script(state: dict[str, Any]) -> Markup:
    """Return JSON for a <script> element, escaped so that no text in it can end the element."""
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return Markup(text)
