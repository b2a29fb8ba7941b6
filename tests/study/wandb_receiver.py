"""A server of the part of W&B's protocol that its client needs to upload runs; it keeps what the client sends."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.servers import Handler, Server

KEY = "5ec2e7" * 6 + "abcd"
GZIP = b"\x1f\x8b"  # with which compressed bodies begin; not all of them have a header that says so


class Receiver(Server):
    """The server, with the rows of history that it received, by run and by their number."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.history: dict[str, dict[int, dict[str, Any]]] = {}
        self.exit_codes: dict[str, int] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.overlaps: list[tuple[str, int]] = []  # rows that came twice with other content

    def rows(self, run: str) -> list[dict[str, Any]]:
        """Return a run's rows in the order of their numbers, which must have no gap."""
        numbers = sorted(self.history.get(run, {}))
        assert numbers == list(range(len(numbers))), numbers
        return [self.history[run][number] for number in numbers]

    def keep(self, run: str, content: dict[str, Any]) -> None:
        """Keep what a request to a run's file stream holds."""
        rows = content.get("files", {}).get("wandb-history.jsonl")
        for place, line in enumerate(rows["content"] if rows else ()):
            number, row = rows["offset"] + place, json.loads(line)
            if self.history.setdefault(run, {}).setdefault(number, row) != row:
                self.overlaps.append((run, number))
        if content.get("complete"):
            self.exit_codes[run] = content["exitcode"]


class Answers(Handler):
    """What the server answers."""

    server: Receiver

    def do_GET(self) -> None:
        """Answer to a client that asks whether anybody is there."""
        self.answer({})

    def do_PUT(self) -> None:
        """Take a file, and forget it."""
        self.read()
        self.answer({})

    def do_POST(self) -> None:
        """Answer a query, or keep what a run's file stream brings; take the client's own telemetry, and forget it.

        The telemetry is no JSON, and a client whose telemetry fails tries again for a minute before it ends.
        """
        body = self.read()
        if "/otel/" in self.path:
            self.answer({})
            return
        content = json.loads(body or b"{}")
        if self.path.endswith("/file_stream"):
            self.server.keep(self.path.split("/")[-2], content)
            self.answer({"exitcode": None, "limits": {}})
            return
        self.answer({"data": self.find(str(content.get("query")), content.get("variables") or {})})

    def find(self, query: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the data of a GraphQL query."""
        run = str(asked.get("name") or asked.get("run") or "")
        if "upsertBucket" in query:
            if asked.get("config"):
                self.server.configs[run] = json.loads(asked["config"])
            return {"upsertBucket": {"bucket": self.describe(run, asked), "inserted": True}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.server.address}/file"} for name in asked["files"]]
            return {"createRunFiles": {"runID": asked["run"], "uploadHeaders": [], "files": files}}
        if "bucket(" in query:
            is_known = run in self.server.history
            return {"model": {"bucket": self.describe(run, asked) if is_known else None}}
        if "viewer" in query:
            return {"viewer": {"id": "1", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        return {}

    def describe(self, run: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what the server knows of a run; `historyLineCount` tells a client where to go on."""
        rows = self.server.history.get(run, {})
        project = {"id": "p", "name": asked.get("project") or "coig", "entity": {"id": "e", "name": "me"}}
        last = [json.dumps(rows[max(rows)])] if rows else []
        begun = json.dumps({"t": 1} if rows else {})  # by which a client knows that there is something to go on with
        return {
            **{"id": run, "name": run, "displayName": run, "description": "", "sweepName": None, "project": project},
            **{"historyLineCount": len(rows), "eventsLineCount": 0, "logLineCount": 0, "wandbConfig": begun},
            **{"historyTail": json.dumps(last), "eventsTail": "[]", "summaryMetrics": "{}", "config": "{}", "tags": []},
        }

    def read(self) -> bytes:
        """Return the request's body."""
        body = super().read()
        return gzip.decompress(body) if body.startswith(GZIP) else body
