"""The app over HTTP: blind to arms, safe against strangers, balanced for every rater."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from coig.annotation import server
from coig.annotation.leader import name_arms
from coig.annotation.store import Store
from coig.records.judgment_database import read_database
from coig.web import safety
from tests.annotation.clients import Rater, make_client
from tests.annotation.studies import ARMS, make_questions, make_store

SCRIPT = "<script>alert(1)</script>'; DROP TABLE events; --"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "judgments.sqlite", make_questions(8))


@pytest.fixture
def client(store: Store, tmp_path: Path) -> TestClient:
    return make_client(store, tmp_path)[0]


def make_rater(store: Store, folder: Path, name: str = "ann") -> Rater:
    client, links = make_client(store, folder)
    return Rater(client, links, store.add_rater(name, ("zh", "en")))


def judgments(store: Store) -> list[Any]:
    with store.database.reading() as connection:
        return read_database(connection, "demo")


@pytest.mark.parametrize("raters", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_raters_see_each_arm_in_each_place_equally_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raters: int
) -> None:
    monkeypatch.setattr(safety, "RATE", 1e6)
    store = make_store(tmp_path / "judgments.sqlite", make_questions(100))
    client, links = make_client(store, tmp_path)
    for number in range(raters):
        rater = Rater(client, links, store.add_rater(f"rater {number}", ("zh", "en")))
        while rater.tasks:
            assert rater.send(min(rater.tasks)).status_code == 200
        assert rater.state["done"] == rater.state["total"] == 100
    found = judgments(store)
    assert len(found) == 100 * raters
    for rater_name in {one.rater for one in found}:
        orders = [one.order for one in found if one.rater == rater_name]
        places = Counter((arm, place) for order in orders for place, arm in enumerate(order))
        assert set(places.values()) == {20}
        assert len(places) == 25


def test_nothing_but_the_answers_differs_between_arms(tmp_path: Path) -> None:
    """Two studies whose arms have swapped their names send the same bytes, up to the answers' own texts."""
    seen = []
    for study, arms in (("one", ARMS), ("two", ARMS[::-1])):
        questions = make_questions(4, arms=ARMS)
        texts = {answer for question in questions for answer in question.answers.values()}
        for question in questions:
            swapped = dict(zip(arms, question.answers.values(), strict=True))
            question.answers.clear()
            question.answers.update((arm, swapped[arm]) for arm in ARMS)
        folder = tmp_path / study
        folder.mkdir()
        store = make_store(folder / "judgments.sqlite", questions)
        client, links = make_client(store, folder)
        code = store.add_rater("ann", ("zh", "en"))
        with store.database.writing() as connection:
            connection.exec_driver_sql(f"UPDATE raters SET code = 'c0de' WHERE code = '{code}'")
        rater = Rater(client, links, "c0de")
        replies = [rater.page, rater.client.get(f"{rater.address}/task/1"), rater.send(1), rater.send(2)]
        bodies = []
        for reply in replies:
            body = reply.text
            for secret in (rater.address[3:], rater.state["csrf"]):
                body = body.replace(secret, "")
            for text in texts:
                body = body.replace(text, "TEXT")
            headers = {name: value for name, value in reply.headers.items() if name != "content-length"}
            bodies.append((body, headers))
        seen.append(bodies)
        everything = " ".join(reply.text for reply in replies)
        for arm in ("cw", "general", "1k", "q-00", "arm", "origin", "baseline"):
            assert not re.search(rf"(?<![\w-]){arm}(?![\w-])", everything), arm
    assert seen[0] == seen[1]


@pytest.mark.parametrize("path", ["/r/{}", "/lead/{}", "/join/{}", "/r/{}/task/1"])
def test_forged_and_swapped_links_are_refused(store: Store, tmp_path: Path, path: str) -> None:
    client, links = make_client(store, tmp_path)
    code = store.add_rater("ann", ("zh", "en"))
    kinds = {"/r/{}": "leader", "/lead/{}": "rater", "/join/{}": "rater", "/r/{}/task/1": "join"}
    own: Any = "leader" if "lead" in path else "join" if "join" in path else "rater"
    good, swapped = links.sign(own, code), links.sign(kinds[path], code)
    for token in (swapped, good[:-2], good[1:], f"{good}x", "x", code, f"{code}.{good.partition('.')[2]}"):
        assert client.get(path.format(token)).status_code == 403, token


def test_a_link_expires(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, links = make_client(store, tmp_path)
    address = f"/r/{links.sign('rater', store.add_rater('ann', ('zh', 'en')))}"
    assert client.get(address).status_code == 200
    later = time.time() + 61 * 86_400
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    assert client.get(address).status_code == 403


def test_a_change_needs_the_page(store: Store, tmp_path: Path) -> None:
    rater = make_rater(store, tmp_path)
    other = Rater(rater.client, make_client(store, tmp_path)[1], store.add_rater("bob", ("zh", "en")))
    body = {"number": 1, "key": "a-key-long-enough", "answered": {"groups": [[0], [1], [2], [3], [4]]}}
    for headers in ({"X-CSRF": ""}, {"X-CSRF": other.state["csrf"]}, {"Sec-Fetch-Site": "cross-site"}):
        assert rater.post("/send", body, **headers).status_code == 403
    form = rater.client.post(f"{rater.address}/send", data=body, headers={"X-CSRF": rater.state["csrf"]})
    assert form.status_code == 415
    assert judgments(store) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"\xff\xfe", 422),
        (b'{"number": 1e999}', 422),
        (json.dumps({"number": 1, "key": "short", "answered": {}}).encode(), 422),
        (json.dumps({"number": 1, "key": "a-key-long-enough", "answered": {}}).encode(), 422),
        (json.dumps({"number": 1, "key": "a-key-long-enough", "answered": {"groups": [[-1]]}}).encode(), 422),
        (json.dumps({"number": 9, "key": "a-key-long-enough", "answered": {"groups": [[0]]}}).encode(), 404),
        (json.dumps({"number": 2**80, "key": "a-key-long-enough", "answered": {}}).encode(), 422),
        (b"[" * 50_000, 422),
        (b" " * 256_001, 413),
    ],
)
def test_malformed_bodies_are_refused(store: Store, tmp_path: Path, body: bytes, status: int) -> None:
    rater = make_rater(store, tmp_path)
    headers = {"X-CSRF": rater.state["csrf"], "Content-Type": "application/json"}
    reply = rater.client.post(f"{rater.address}/send", content=body, headers=headers)
    assert reply.status_code == status
    assert set(reply.json()) == {"error"}
    assert judgments(store) == []


def test_scripts_and_sql_are_text(tmp_path: Path) -> None:
    questions = make_questions(2)
    for question in questions:
        question.answers["general"] = SCRIPT
    store = make_store(tmp_path / "judgments.sqlite", questions, "recruits=1")
    client, links = make_client(store, tmp_path)
    address = f"/join/{links.sign('join', 'recruits')}"
    join = client.get(address, params={"PROLIFIC_PID": SCRIPT}, follow_redirects=False)
    assert join.status_code == 303
    rater = Rater(client, links, links.read("rater", join.headers["location"].rpartition("/")[2]))
    assert "<script>alert" not in rater.page.text
    assert any(SCRIPT in task["answers"] for task in rater.tasks.values())
    assert rater.send(1, reason="other", note=SCRIPT).status_code == 200
    lead = client.get(f"/lead/{links.sign('leader', 'leader')}").text
    assert "<script>alert" not in lead
    assert "&lt;script&gt;alert" in lead
    assert judgments(store)[0].value == f"other: {SCRIPT}"
    assert client.get(address, params={"PROLIFIC_PID": "another"}).status_code == 410


def test_markdown_cannot_run_anything(tmp_path: Path) -> None:
    questions = make_questions(2)
    evil = "**bold** [a](javascript:alert(1)) ![b](https://x.org/i.png) <img src=x onerror=alert(1)> https://x.org"
    for question in questions:
        question.answers["general"] = evil
    store = make_store(tmp_path / "judgments.sqlite", questions, "markdown=true")
    rater = make_rater(store, tmp_path)
    (shown,) = (text for text in rater.tasks[1]["answers"] if "bold" in text)
    assert "<strong>bold</strong>" in shown
    assert not re.search(r"<(a|img|script)\b", shown)


def test_every_answer_has_strict_headers(store: Store, tmp_path: Path) -> None:
    rater = make_rater(store, tmp_path)
    version = re.search(r"static/(\w+)/", rater.page.text)[1]  # type: ignore[index]
    static = f"/static/{version}/rate.js"
    for reply in (rater.page, *map(rater.client.get, (static, "/r/x", "/nothing", "/health", "/static/x/rate.js"))):
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == (
            "public, max-age=31536000, immutable"
            if reply.status_code == 200 and "static" in str(reply.url)
            else "no-store"
        )
    assert not re.search(r"(src|href)=\"(https?:)?//", rater.page.text)


def test_too_many_requests_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "RATE", 0.0)
    statuses = Counter(client.get("/r/flood").status_code for _ in range(safety.BURST + 3))
    assert statuses == {403: safety.BURST, 429: 3}
    assert client.get("/r/another").status_code == 403
    assert client.get("/health").status_code == 200


def test_a_query_needs_one_request_after_the_first_page(store: Store, tmp_path: Path) -> None:
    rater = make_rater(store, tmp_path)
    assert len(rater.tasks) == server.AHEAD
    reply = rater.send(1)
    assert len(reply.json()["tasks"]) == 1  # without the texts that the page has already
    assert len(rater.tasks) == server.AHEAD
    assert len(reply.content) < 60_000
    for number, status in ((1, 200), (2, 200), (9, 404), (2**80, 404)):
        assert rater.client.get(f"{rater.address}/task/{number}").status_code == status


def test_a_draft_is_there_in_another_browser(store: Store, tmp_path: Path) -> None:
    rater = make_rater(store, tmp_path)
    draft = {"groups": [[3], [0, 1]], "seconds": 12.5, "visible": 20.0, "read": [1, 0.5, 0, 0, 0]}
    assert rater.post("/draft", {"number": 1, "draft": draft, "at": 1.0}).status_code == 200
    again = make_rater(store, tmp_path)
    assert again.tasks[1]["draft"]["groups"] == [[3], [0, 1]]
    assert again.tasks[1]["answers"] == rater.tasks[1]["answers"]
    assert judgments(store) == []


def test_the_leader_is_blind_until_unblinding_is_logged(store: Store, tmp_path: Path) -> None:
    client, links = make_client(store, tmp_path)
    for name in ("ann", "bob"):
        rater = Rater(client, links, store.add_rater(name, ("zh", "en")))
        rater.send(1)
        rater.send(2, reason="unsafe", about=[2])
    token = links.sign("leader", "leader")
    blind = client.get(f"/lead/{token}?lang=en").text
    assert "ann" in blind
    assert sum(map(int, re.findall(r"unsafe: (\d)", blind))) == 2  # of two arms, or twice of one
    assert not any(f">{arm}<" in blind for arm in ARMS)
    assert re.search(r'<progress max="8" value="2" aria-label="bob">', blind)
    csrf = re.search(r'name="csrf" value="(\w+)"', blind)[1]  # type: ignore[index]
    unblind = f"/lead/{token}/unblind"
    assert client.post(unblind, data={"csrf": "0" * 32, "sure": "yes"}).status_code == 403
    assert client.post(unblind, data={"csrf": csrf}).status_code == 422
    seen = client.post(unblind, data={"csrf": csrf, "sure": "yes"}).text
    assert any(f">{arm}<" in seen for arm in ARMS)
    assert "unblinded" in seen


def test_arms_beyond_the_alphabet_have_letters_with_numbers(tmp_path: Path) -> None:
    store = make_store(tmp_path / "judgments.sqlite", make_questions(2, [f"cw-s{seed}" for seed in range(28)]))
    letters = sorted(name_arms(store, [], unblinded=False).values())
    assert (letters[:3], letters[-1], len(set(letters))) == (["A", "A1", "B"], "Z", 28)


def test_the_leader_hands_out_links_as_text_and_as_pictures(store: Store, tmp_path: Path) -> None:
    client, links = make_client(store, tmp_path)
    code, token = store.add_rater(SCRIPT), links.sign("leader", "leader")
    page = client.get(f"/lead/{token}?lang=en").text
    assert "<script>alert" not in page
    link = re.search(r'value="http://testserver(/r/[^"]+)"', page)[1]  # type: ignore[index]
    assert links.read("rater", link[3:]) == code
    assert client.get(link).status_code == 200
    picture = client.get(f"/lead/{token}/code/{code}.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.count("<path") == 2  # the white square and the black ones
    assert client.get(f"/lead/{token}/code/{code}x.svg").status_code == 404
    assert client.get(f"/lead/{link[3:]}/code/{code}.svg").status_code == 403  # raters get no one's link


def test_the_leader_adds_raters_while_the_page_is_served(store: Store, tmp_path: Path) -> None:
    client, links = make_client(store, tmp_path)
    token = links.sign("leader", "leader")
    csrf, address = links.csrf(token), f"/lead/{token}/rater"
    for _ in range(2):  # the second time there is one of this name
        page = client.post(address, data={"csrf": csrf, "name": f" {SCRIPT} "}).text
    assert "<script>alert" not in page
    link = re.findall(r'value="http://testserver/r/([^"]+)"', page)
    assert [store.find_rater(links.read("rater", one)).name for one in link] == [SCRIPT]
    assert client.post(address, data={"csrf": links.csrf("x"), "name": "eve"}).status_code == 403
    for name in ("", " ", "a" * 101, "a\nb"):
        assert client.post(address, data={"csrf": csrf, "name": name}).status_code == 422


def test_examples_to_practise_on_are_sent_before_the_first_query_only(tmp_path: Path) -> None:
    store = make_store(tmp_path / "judgments.sqlite", make_questions(8), "practice=true")
    client, links = make_client(store, tmp_path)
    code = store.add_rater("ann", ("zh",))
    first = Rater(client, links, code)
    assert {lang: len(examples) for lang, examples in first.state["practice"].items()} == {"zh": 3, "en": 3}
    assert "practice" not in Rater(client, links, code).state
    assert judgments(store) == []


def test_consent_and_languages_come_before_the_first_query(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for lang in ("zh", "en"):
        (tmp_path / "texts" / f"consent.{lang}.md").write_text(f"# Consent {lang}\n\nYou *may* stop.", encoding="utf-8")
    store = make_store(tmp_path / "judgments.sqlite", make_questions(8), f"texts={tmp_path / 'texts'}")
    client, links = make_client(store, tmp_path)
    token = links.sign("rater", store.add_rater("ann"))
    page = client.get(f"/r/{token}?lang=zh").text
    assert "<h1>Consent zh</h1>" in page
    assert "Task 0" not in page
    headers = {"X-CSRF": links.csrf(token)}
    assert client.post(f"/r/{token}/start", json={"agreed": False}, headers=headers).status_code == 422
    assert client.post(f"/r/{token}/start", json={"agreed": True}, headers=headers).status_code == 422
    reply = client.post(f"/r/{token}/start", json={"agreed": True, "langs": ["zh"]}, headers=headers).json()
    assert (reply["total"], {task["lang"] for task in reply["tasks"]}) == (4, {"zh-Hans"})
