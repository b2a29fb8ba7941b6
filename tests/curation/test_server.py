"""The page over HTTP: who sees and does what, and what reaches the history."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from coig.config import CurateConfig
from coig.config.command_line import config_of
from coig.curation.serving import make_curation_app, read_links, sign_links
from coig.curation.store import Actor, Store
from coig.errors import ConfigError
from tests.curation.clients import NINES, PROMPT, WRITTEN, Person, make_people
from tests.curation.curations import (
    STORY,
    TALE,
    act,
    article,
    configure,
    only_text,
    open_store,
    run_to,
    set_state,
    write_articles,
)
from tests.llm.stub_server import chat, server

NAMES = re.compile(r"\b(wen|sun|ann|bob|person-[0-9a-f]{6})\b")


@pytest.fixture
def store(screened: None) -> Iterator[Store]:
    """Open the curation of one screened article."""
    found = open_store()
    yield found
    found.close()


@pytest.fixture
def people(store: Store) -> dict[str, Person]:
    return make_people(store)


def test_a_text_that_somebody_has_opened_is_not_offered_to_others(people: dict[str, Person], store: Store) -> None:
    wen, cai = people["wen"], people["cai"]
    assert (wen.kinds(), cai.kinds()) == (["write"], ["write"])
    task = cai.tasks()[0]
    opened = wen.open("write")
    assert wen.tasks()[0]["begun"]
    assert cai.kinds() == []
    refused = cai.post("/open", {"text": task["text"], "kind": "write"})
    assert (refused.status_code, refused.json()) == (404, {"error": "somebody else has done this, or is doing it"})
    assert wen.post("/back", {"text": task["text"], "kind": "write"}).status_code == 200
    assert cai.kinds() == ["write"]
    later = make_people(store, "lease_hours=1e-9")
    wen.open("write")
    assert later["cai"].kinds() == ["write"]  # who does not save for so long keeps no text
    assert wen.send(opened, **WRITTEN).status_code == 200


def test_a_draft_is_kept_for_its_version_only(people: dict[str, Person]) -> None:
    wen = people["wen"]
    opened = wen.open("write")
    draft = {"text": opened["text"], "kind": "write", "version": 0, "draft": {"prompt": "写一"}, "at": 5.0}
    assert wen.post("/draft", draft).json() == {}
    assert wen.open("write")["draft"] == {"prompt": "写一", "at": 5.0}
    assert wen.post("/draft", draft | {"draft": {"prompt": "写"}, "at": 4.0}).json() == {}  # delivered late
    assert wen.open("write")["draft"] == {"prompt": "写一", "at": 5.0}
    assert wen.post("/draft", draft | {"version": 1}).status_code == 422
    assert wen.send(opened, **WRITTEN).status_code == 200
    assert people["cai"].post("/draft", draft).status_code == 404
    act("score", "sun", **NINES)
    for name in ("ann", "bob"):
        act("review", name, decision="refine", why="太短")
    again = wen.open("write")
    assert (again["version"], again["draft"], again["pieces"]["prompt"]) == (1, {}, PROMPT)
    assert [one["number"] for one in again["versions"]] == [1]
    [said] = again["rounds"]
    assert (said["total"], [one["why"] for one in said["reviews"]]) == (54, ["太短", "太短"])


def _is_event_loop() -> bool:
    """Tell whether this thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def test_the_database_is_never_read_where_all_requests_would_wait(
    people: dict[str, Person], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop is free while a thread looks up a person."""
    found: list[bool] = []
    look_up = store.find_person

    def find_person(code: str) -> Actor | None:
        found.append(_is_event_loop())
        return look_up(code)

    monkeypatch.setattr(store, "find_person", find_person)
    wen = people["wen"]
    opened = wen.open("write")
    assert wen.post("/back", {"text": opened["text"], "kind": "write"}).status_code == 200
    assert len(found) == 3
    assert not any(found)


def test_what_is_sent_twice_or_about_an_old_version_is_not_added(people: dict[str, Person]) -> None:
    wen, sun = people["wen"], people["sun"]
    opened = wen.open("write")
    for _ in range(2):
        reply = wen.send(opened, key="the-same-key-twice", **WRITTEN)
        assert (reply.status_code, reply.json()["state"]) == (200, "written")
    assert len(only_text().triplets) == 1
    scored = sun.open("score")
    reply = sun.send(scored | {"version": 2}, **NINES)
    assert (reply.status_code, "newer version" in reply.json()["error"]) == (422, True)
    assert sun.send(scored, **NINES).json()["state"] == "scored"


def test_nobody_sees_who_did_what_nor_what_others_said_now(people: dict[str, Person]) -> None:
    wen, sun, ann, bob = (people[name] for name in ("wen", "sun", "ann", "bob"))
    wen.send(wen.open("write"), **WRITTEN)
    opened = sun.open("score")
    assert "rounds" not in opened
    assert wen.kinds() == []  # not what one wrote
    sun.send(opened, **NINES)
    comment = {"part": "prompt", "start": 0, "end": 3, "comment": "太长"}
    ann.send(ann.open("review"), decision="refine", comments=[comment], why="再想想")
    opened = bob.open("review")
    assert (opened["rounds"], opened["changes"]) == ([], {})
    for person in people.values():
        bodies = str(person.tasks()) + person.page.text + str(opened)
        assert "再想想" not in bodies
        assert not NAMES.search(bodies)
    bob.send(opened, decision="refine", comments=[comment])
    again = wen.open("write")
    passage = {"part": "prompt", "passage": PROMPT[:3], "comment": "太长"}
    assert again["rounds"][0]["reviews"][0]["comments"] == [passage]
    assert not NAMES.search(str(again))
    wen.send(again, **WRITTEN | {"prompt": PROMPT.replace("一百字", "八十字"), "why": "短了"})
    sun.send(sun.open("score"), **NINES)
    assert people["cai"].kinds() == []  # it returns to the same reviewers
    changes = ann.open("review")["changes"]
    assert list(changes) == ["prompt"]
    assert ["removed", "一百"] in changes["prompt"]


def test_a_conflict_goes_to_a_third_and_to_no_fourth(people: dict[str, Person]) -> None:
    people["wen"].send(people["wen"].open("write"), **WRITTEN)
    people["sun"].send(people["sun"].open("score"), **NINES)
    opened = {name: people[name].open("review") for name in ("ann", "bob")}
    assert people["cai"].kinds() == []  # two have opened it, and no more are needed
    people["ann"].send(opened["ann"], decision="accept")
    people["bob"].send(opened["bob"], decision="remove", why="不合适")
    assert people["cai"].send(people["cai"].open("review"), decision="accept").json()["state"] == "accepted"


def test_a_writer_s_change_of_the_article_is_shown_to_reviewers(people: dict[str, Person]) -> None:
    people["wen"].send(people["wen"].open("write"), **WRITTEN, article=STORY.replace("老邓", "老王"))
    people["sun"].send(people["sun"].open("score"), **NINES)
    changes = people["ann"].open("review")["changes"]
    assert list(changes) == ["article"]
    assert ["added", "王"] in changes["article"]


def test_a_writer_is_told_what_may_be_personal_data(folder: Path) -> None:
    write_articles(article(STORY + "电话13800138000。"))
    run_to("dedupe")
    set_state("screened")
    found = open_store()
    wen = make_people(found)["wen"]
    opened = wen.open("write")
    assert opened["personal"] == ["13800138000"]
    wen.send(opened, **WRITTEN, article=STORY)
    act("score", "sun", None, **NINES | {"prompt_quality": 1})
    assert wen.open("write")["personal"] == []
    found.close()


def test_only_what_the_page_does_can_be_sent_and_only_as_oneself(people: dict[str, Person]) -> None:
    wen = people["wen"]
    opened = wen.open("write")
    for kind in ("take_down", "clear", "split"):
        assert wen.send(opened | {"kind": kind}, why="x").status_code == 422
    assert wen.send(opened, **WRITTEN | {"by": "cai", "kind": "score", "draft": {"model": "x"}}).status_code == 200
    assert only_text().triplet.by.name == "wen"
    assert "draft" not in only_text().of_kind("write")[0].value


def test_what_is_missing_is_said(people: dict[str, Person]) -> None:
    reply = people["wen"].send(people["wen"].open("write"), **WRITTEN | {"style": " "})
    assert (reply.status_code, reply.json()) == (422, {"error": "style: empty or no text"})
    assert only_text().state == "screened"


def test_links_of_others_and_of_who_has_left_are_refused(store: Store, people: dict[str, Person]) -> None:
    good = people["wen"].address
    client = people["wen"].client
    for address in (good[:-2], f"{good}x", good.replace("/desk/", "/desk/x"), "/desk/x"):
        assert client.get(address).status_code == 403
    task = people["wen"].tasks()[0]
    body = {"text": task["text"], "kind": "write"}
    assert people["wen"].post("/open", body, **{"X-CSRF": people["cai"].state["csrf"]}).status_code == 403
    assert people["wen"].post("/open", body, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    config = configure("stage=write", "people=[cai]")
    links = read_links(config.folder, config.link_days)
    others = TestClient(make_curation_app(store, links, config), base_url="http://testserver")
    assert others.get(good).status_code == 403
    assert others.get(sign_links(store, config, links)["cai"]).status_code == 200


def test_a_take_down_deletes_drafts_too(people: dict[str, Person], store: Store) -> None:
    wen = people["wen"]
    opened = wen.open("write")
    draft = {"prompt": "秘密的草稿"}
    wen.post("/draft", {"text": opened["text"], "kind": "write", "version": 0, "draft": draft, "at": 1.0})
    act("take_down", "li", why="作者要求")
    assert wen.kinds() == []
    with store.database.reading() as connection:
        assert connection.exec_driver_sql("select count(*) from drafts").scalar_one() == 0


def test_a_rejected_text_that_was_drawn_is_looked_at_again(folder: Path) -> None:
    write_articles(article(STORY), article(TALE))
    run_to("dedupe")
    set_state("rejected", drawn=True)
    found = open_store()
    wen = make_people(found)["wen"]
    assert wen.kinds() == ["recheck", "recheck"]
    opened = wen.open("recheck")
    assert "pieces" not in opened
    assert "drawn" not in str(opened)
    assert wen.send(opened, fit=True).json()["state"] == "screened"
    assert wen.send(wen.open("recheck"), fit=False, why="平").json()["state"] == "rejected"
    found.close()


def draft_reply(body: dict[str, Any]) -> tuple[int, str]:
    """Write a draft if the question holds the story."""
    assert STORY in body["messages"][1]["content"]
    pieces = ", ".join(f'"{name}": "{text}"' for name, text in WRITTEN.items())
    return chat(f"{{{pieces}}}")


def test_a_model_s_draft_is_recorded_with_how_much_was_changed(store: Store) -> None:
    with server(["toy"], draft_reply) as url:
        wen = make_people(store, f"draft.base_url={url}", "draft.model=toy")["wen"]
        assert wen.state["model"] == "toy"
        opened = wen.open("write")
        body = {"text": opened["text"], "kind": "write"}
        assert wen.post("/model", body).json() == WRITTEN | {"model": "toy"}
    assert wen.open("write")["model"]["prompt"] == PROMPT  # also after a reload
    wen.send(opened, **WRITTEN | {"prompt": PROMPT.replace("一百", "八十")})
    value = only_text().of_kind("write")[0].value
    assert (value["draft"], value["edits"]) == ("toy", 2)
    assert only_text().triplet.content["draft"]["prompt"] == PROMPT


def test_without_a_model_no_draft_is_offered_and_a_dead_one_says_so(store: Store, people: dict[str, Person]) -> None:
    wen = people["wen"]
    assert wen.state["model"] is None
    opened = wen.open("write")
    body = {"text": opened["text"], "kind": "write"}
    assert wen.post("/model", body).status_code == 404
    dead = make_people(store, "draft.base_url=http://127.0.0.1:9/v1", "draft.model=toy")["wen"]
    reply = dead.post("/model", body)
    assert (reply.status_code, "no server that speaks OpenAI's protocol" in reply.json()["error"]) == (422, True)


def test_people_and_a_script_do_not_work_together() -> None:
    with pytest.raises(ConfigError, match="leave people or scripted out"):
        config_of("curate", CurateConfig, ["scripted=true", "people=[wen]"])
    assert not config_of("curate", CurateConfig, ["people=[wen]"]).is_scripted
