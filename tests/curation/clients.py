"""People who use the page over HTTP, in this process."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.testclient import TestClient

from coig.curation.records import CATEGORIES, SCORES
from coig.curation.serving import make_curation_app, read_links, sign_links
from coig.curation.store import Store
from tests.curation.curations import configure

PEOPLE = "people=[wen,cai,sun,ann,bob]"
PROMPT = "写一篇关于修伞人的短文，不超过一百字。"
WRITTEN: dict[str, Any] = {"prompt": PROMPT} | dict.fromkeys(CATEGORIES, "想一想再写。")
NINES: dict[str, Any] = dict.fromkeys(SCORES, 9)


class Person:
    """Somebody's page, with its link and its state."""

    def __init__(self, client: TestClient, address: str) -> None:
        self.client, self.address = client, address
        self.page = client.get(address)
        self.state: dict[str, Any] = json.loads(re.search(r'id="state"[^>]*>(.*?)</script>', self.page.text, re.S)[1])  # type: ignore[index]
        self.sent = 0

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.client.post(self.address + path, json=body, headers={"X-CSRF": self.state["csrf"], **headers})

    def tasks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(f"{self.address}/tasks").json()["tasks"]
        return found

    def kinds(self) -> list[str]:
        return [task["kind"] for task in self.tasks()]

    def open(self, kind: str) -> dict[str, Any]:
        """Open the first task of a kind."""
        task = next(task for task in self.tasks() if task["kind"] == kind)
        reply = self.post("/open", {"text": task["text"], "kind": kind})
        assert reply.status_code == 200, reply.text
        opened: dict[str, Any] = reply.json()
        return opened

    def send(self, opened: dict[str, Any], key: str = "", **act: Any) -> Any:
        """Send an act on an opened task."""
        self.sent += 1
        key = key or f"{self.address[-16:]}{self.sent}".replace("_", "x").replace("-", "x")
        body = {name: opened[name] for name in ("text", "kind", "version")}
        return self.post("/send", body | {"key": key, "act": act})


def make_people(store: Store, *overrides: str) -> dict[str, Person]:
    """Return the people of a curation, each with a page of a server in this process."""
    config = configure("stage=write", PEOPLE, *overrides)
    store.start_run(config, "write")
    links = read_links(config.folder, config.link_days)
    client = TestClient(make_curation_app(store, links, config), base_url="http://testserver")
    return {name: Person(client, path) for name, path in sign_links(store, config, links).items()}
