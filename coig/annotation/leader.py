"""Serve the leader's page. It shows arms as letters, drawn anew at each load, until somebody unblinds the study."""

from __future__ import annotations

import io
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import segno
from sqlalchemy import Row, select
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from coig.annotation.store import Store
from coig.records.judgment import Judgment
from coig.records.judgment_database import ACTS, RATERS, log_act, read_database
from coig.study.people import (
    RaterSummary,
    compute_findable,
    count_abstentions,
    estimate_agreement,
    estimate_position_effect,
    summarize_rater,
)
from coig.text.language_codes import LANGUAGES
from coig.web.app import UnknownError, check_csrf
from coig.web.languages import TAGS
from coig.web.links import Links
from coig.web.pages import Pages

LONGEST_NAME = 100  # characters
ONLY_HERE = ("127.0.0.1", "localhost", "::1")  # addresses that no phone reaches


@dataclass(frozen=True)
class RaterRow:
    """A rater in the page's table: `done` of `total` tasks; `total` is None if it depends on the other raters."""

    person: Row[Any]
    summary: RaterSummary
    done: int
    total: int | None
    latest: str | None
    link: str


class LeaderPages:
    """Answers to the requests of the leader's page."""

    def __init__(self, store: Store, links: Links, pages: Pages, study: str, address: str) -> None:
        self.store, self.links, self.pages, self.study, self.address = store, links, pages, study, address

    def routes(self) -> list[Route]:
        """Return the routes of the leader's page."""
        return [
            Route("/lead/{token}", self.show_page),
            Route("/lead/{token}/code/{rater}.svg", self.show_code),
            Route("/lead/{token}/rater", self.add_rater, methods=["POST"]),
            Route("/lead/{token}/unblind", self.unblind, methods=["POST"]),
        ]

    def show_page(self, request: Request) -> Response:
        """Return the leader's page: raters, progress, agreement, checks; computed from the database at each request.

        Raises BadLinkError if the token in the path is not the leader's.
        """
        token = self._token(request)
        with self.store.database.reading() as connection:
            judgments = read_database(connection, self.study)
            people = connection.execute(select(RATERS).order_by(RATERS.c.id)).all()
            acts = connection.execute(select(ACTS).order_by(ACTS.c.id)).all()
        unblinded = any(act.act == "unblinded" for act in acts)
        names = name_arms(self.store, judgments, unblinded=unblinded)
        counted = [one for one in judgments if one.is_evidence]
        findable = {lang: compute_findable([one for one in counted if one.lang == lang]) for lang in TAGS}
        return self.pages.render(
            request,
            "lead",
            study=self.study,
            token=token,
            csrf=self.links.csrf(token),
            unblinded=unblinded,
            acts=acts,
            only_here=urlsplit(self.address).hostname in ONLY_HERE,
            raters=[self._row(person, judgments) for person in people],
            strata=count_strata(self.store, counted),
            agreement=estimate_agreement(counted),
            position=estimate_position_effect(counted),
            abstentions=sorted((names[arm], reasons) for arm, reasons in count_abstentions(judgments).items()),
            findable={lang: found for lang, found in findable.items() if found},
        )

    def _row(self, person: Row[Any], judgments: Sequence[Judgment]) -> RaterRow:
        """Return a rater's row of the page's table; `judgments` are those of all raters."""
        checks = self.store.config.checks
        summary = summarize_rater(person.name, judgments, checks.least, checks.flag_below)
        done, total = self.store.count(person.code)
        times = [one.created_at for one in judgments if one.rater == person.name and one.created_at]
        return RaterRow(person, summary, done, total, max(times, default=None), self._link(person.code))

    def show_code(self, request: Request) -> Response:
        """Return the QR code of a rater's link as SVG.

        Raises HTTPException 404 for an unknown rater, BadLinkError if the token in the path is not the leader's.
        """
        self._token(request)
        code = request.path_params["rater"]
        try:
            self.store.find_rater(code)
        except UnknownError as error:
            raise HTTPException(404, str(error)) from None
        picture = io.BytesIO()
        segno.make_qr(self._link(code), error="l").save(picture, kind="svg", scale=4, light="#fff")
        return Response(picture.getvalue(), media_type="image/svg+xml")

    async def add_rater(self, request: Request) -> Response:
        """Add a rater of the form's name, unless there is one, and redirect to the leader's page.

        A new rater has no languages yet, and is asked for them later. Raises HTTPException 422 if the name is empty,
        too long or not printable, and what `_receive` raises.
        """
        form = await self._receive(request)
        name = form.get("name", "").strip()
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            raise HTTPException(422, f"name: give 1 to {LONGEST_NAME} characters")
        await run_in_threadpool(self.store.add_rater, name)
        return RedirectResponse(f"../{request.path_params['token']}", 303)

    async def unblind(self, request: Request) -> Response:
        """Store that the study is unblinded, so that the page shows arms' names from now on; redirect to the page.

        Raises HTTPException 422 unless the form says sure=yes, and what `_receive` raises.
        """
        form = await self._receive(request)
        if form.get("sure") != "yes":
            raise HTTPException(422, "not confirmed")

        def log() -> None:
            """Add the unblinding to the acts in the database."""
            with self.store.database.writing() as connection:
                log_act(connection, "unblinded", "the leader's page shows the arms' names", unblinds=True)

        await run_in_threadpool(log)
        return RedirectResponse(f"../{request.path_params['token']}", 303)

    async def _receive(self, request: Request) -> dict[str, str]:
        """Return the fields of a form. Raises BadLinkError or HTTPException 403 unless the leader's page sent it."""
        self._token(request)
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        check_csrf(request, self.links, form.get("csrf"))
        return form

    def _token(self, request: Request) -> str:
        """Return the token in a request's path. Raises BadLinkError unless it is the leader's."""
        token = str(request.path_params["token"])
        self.links.read("leader", token)
        return token

    def _link(self, code: str) -> str:
        """Return the address of the page of the rater with this code."""
        return f"{self.address}/r/{self.links.sign('rater', code)}"


def name_arms(store: Store, judgments: Sequence[Judgment], *, unblinded: bool) -> dict[str, str]:
    """Return {arm: what the page calls it}: its name if unblinded, otherwise a letter, drawn anew at each call.

    Beyond 26 arms the letters begin again with a number: A1, B1.
    """
    arms = sorted({arm for item in store.items for arm in item.arms} | {arm for one in judgments for arm in one.arms})
    if unblinded:
        return {arm: arm for arm in arms}
    letters = [f"{ascii_uppercase[number % 26]}{number // 26 or ''}" for number in range(len(arms))]
    random.SystemRandom().shuffle(letters)
    return dict(zip(arms, letters, strict=True))


@dataclass
class Stratum:
    """How far the judging of one language and genre is.

    `items` are there to judge; somebody has judged `covered` of them; `judgments` counts each item once for each rater.
    """

    items: int = 0
    covered: int = 0
    judgments: int = 0


def count_strata(store: Store, counted: Sequence[Judgment]) -> dict[tuple[str, str | None], Stratum]:
    """Return {(language, genre): how far its judging is} for the study's items, Chinese first.

    `counted` are the judgments without checks and abstentions; those of other languages or genres are ignored.
    """
    items = Counter(item.question.stratum for item in store.items)
    raters: dict[tuple[Any, ...], set[str]] = defaultdict(set)  # of each item
    for one in counted:
        pair = tuple(sorted(one.arms)) if one.kind == "pairwise" else ()
        raters[one.lang, one.genre, one.query_id, pair].add(one.rater)
    ordered = sorted(items, key=lambda key: (LANGUAGES.index(key[0]), key[1] or ""))
    strata = {key: Stratum(items[key]) for key in ordered}
    for (lang, genre, *_), names in raters.items():
        if stratum := strata.get((lang, genre)):
            stratum.covered += 1
            stratum.judgments += len(names)
    return strata
