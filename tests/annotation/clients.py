"""Raters and leaders who use the app over HTTP, in this process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from coig.annotation.run import make_annotation_app, read_links
from coig.annotation.store import Store
from coig.web.links import Links

ADDRESS = "http://testserver"


class Rater:
    """A rater's page, with its link and its state."""

    def __init__(self, client: TestClient, links: Links, code: str) -> None:
        self.client, self.address = client, f"/r/{links.sign('rater', code)}"
        self.page = client.get(self.address)
        self.state: dict[str, Any] = json.loads(re.search(r'id="state"[^>]*>(.*?)</script>', self.page.text, re.S)[1])  # type: ignore[index]
        self.tasks: dict[int, Any] = {}
        start = {"agreed": True, "langs": self.state.get("langs", [])}  # all that the page asks for
        self._take(self.state if self.state["agreed"] else self.post("/start", start).json())

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.client.post(self.address + path, json=body, headers={"X-CSRF": self.state["csrf"], **headers})

    def send(self, number: int, key: str = "", **body: Any) -> Any:
        """Send a verdict: by default the answers in the order in which they stand there."""
        places = [[place] for place in range(len(self.tasks[number]["answers"]))]
        answered = {"groups": places, "seconds": 30, "read": [1] * len(places)} | body.pop("answered", {})
        have = ",".join(str(other) for other in self.tasks if other != number)
        message = {
            "number": number,
            "key": key or f"{self.address[-20:-4]}-{number}".replace("_", "x"),
            "answered": answered,
        }
        reply = self.post(f"/send?have={have}", message | body)
        if reply.status_code == 200:
            self.tasks.pop(number)
            self._take(reply.json())
        return reply

    def _take(self, reply: dict[str, Any]) -> None:
        self.tasks |= {task["number"]: task for task in reply["tasks"]}
        self.state |= {"done": reply["done"], "total": reply["total"]}


def make_client(store: Store, folder: Path) -> tuple[TestClient, Links]:
    """Return a client of the app for a study in a folder."""
    links = read_links(folder, store.config.link_days)
    return TestClient(make_annotation_app(store, "demo", links, ADDRESS), base_url=ADDRESS), links
