"""The leader's page, as blind as the raters': arms are letters, other ones at each load, until somebody unblinds it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from urllib.parse import parse_qs

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from coig.annotation.server import FOLDER
from coig.annotation.store import Store
from coig.records.judgment import Judgment
from coig.records.judgment_database import ACTS, RATERS, log_act, read_database
from coig.study.people import (
    compute_findable,
    count_abstentions,
    estimate_agreement,
    estimate_position_effect,
    summarize_rater,
)
from coig.web.app import Pages, check_csrf
from coig.web.languages import TAGS, language_of_request, read_texts
from coig.web.links import Links


class LeaderPages:
    """Answers to the requests of the leader's page."""

    def __init__(self, store: Store, links: Links, pages: Pages, study: str) -> None:
        self.store, self.links, self.pages, self.study = store, links, pages, study

    def routes(self) -> list[Route]:
        """Return the routes of the leader's page."""
        return [
            Route("/lead/{token}", self.show_page),
            Route("/lead/{token}/unblind", self.unblind, methods=["POST"]),
        ]

    def show_page(self, request: Request) -> Response:
        """Serve the page, computed anew."""
        token = self._token(request)
        lang = language_of_request(request)
        with self.store.database.reading() as connection:
            judgments = read_database(connection, self.study)
            people = connection.execute(select(RATERS).order_by(RATERS.c.id)).all()
            acts = connection.execute(select(ACTS).order_by(ACTS.c.id)).all()
        unblinded = any(act.act == "unblinded" for act in acts)
        names = name_arms(self.store, judgments, unblinded=unblinded)
        checks = self.store.config.checks
        counted = [one for one in judgments if one.counts]
        return self.pages.render(
            "lead.html.j2",
            lang=TAGS[lang],
            other="en" if lang == "zh" else "zh",
            texts=read_texts(FOLDER / "lead.json", lang),
            study=self.study,
            csrf=self.links.csrf(token),
            unblind_action=f"{token}/unblind",
            unblinded=unblinded,
            acts=acts,
            raters=[
                (person, summarize_rater(person.name, judgments, checks.least, checks.flag_below)) for person in people
            ],
            strata=count_strata(self.store, counted),
            agreement=estimate_agreement(counted),
            position=estimate_position_effect(counted),
            abstentions=sorted((names[arm], reasons) for arm, reasons in count_abstentions(judgments).items()),
            findable=[(code, compute_findable([one for one in counted if one.lang == code])) for code in TAGS],
        )

    async def unblind(self, request: Request) -> Response:
        """Show arms' names on this page from now on, and log that."""
        token = self._token(request)
        form = parse_qs((await request.body()).decode(errors="replace"))
        check_csrf(request, self.links, form.get("csrf", [""])[0])
        if form.get("sure") != ["yes"]:
            raise HTTPException(422, "not confirmed")
        with self.store.database.writing() as connection:
            log_act(connection, "unblinded", "the leader's page shows the arms' names", unblinds=True)
        return RedirectResponse(f"../{token}", 303)

    def _token(self, request: Request) -> str:
        token = str(request.path_params["token"])
        self.links.read("leader", token)
        return token


def name_arms(store: Store, judgments: Sequence[Judgment], *, unblinded: bool) -> dict[str, str]:
    """Return how each arm is called on the page: its name if the study is unblinded, otherwise a random letter."""
    arms = sorted({arm for item in store.items for arm in item.arms} | {arm for one in judgments for arm in one.arms})
    if unblinded:
        return {arm: arm for arm in arms}
    letters = [chr(ord("A") + number) for number in range(len(arms))]
    random.SystemRandom().shuffle(letters)
    return dict(zip(arms, letters, strict=True))


def count_strata(store: Store, counted: Sequence[Judgment]) -> list[tuple[str, str, int, int, int]]:
    """Return (language, genre, items, judged items, judgments) for each language and genre of the study."""
    items = Counter(item.question.stratum for item in store.items)
    pages = {(one.lang, one.genre, one.query_id, one.rater, _pair(one)) for one in counted}
    judgments: Counter[tuple[str, str | None]] = Counter(page[:2] for page in pages)
    judged: Counter[tuple[str, str | None]] = Counter(
        (lang, genre) for lang, genre, _, _ in {(*page[:3], page[4]) for page in pages}
    )
    strata = sorted(items, key=lambda stratum: (stratum[0] != "zh", stratum[1] or ""))
    return [
        (lang, genre or "–", items[lang, genre], judged[lang, genre], judgments[lang, genre]) for lang, genre in strata
    ]


def _pair(one: Judgment) -> tuple[str, ...]:
    """Return the arms of a verdict on a pair, of which a query has several; () for the one page of a query."""
    return tuple(sorted(one.arms)) if one.kind == "pairwise" else ()
