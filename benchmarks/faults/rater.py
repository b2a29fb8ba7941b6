"""A rater who judges everything on the page of annotate.py, while the server may be killed."""

from __future__ import annotations

import json
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.faults.running import finish, kill_later, start
from tests.forked import Forked

STUDY = "authors"
QUERIES = 12  # in each language
COMMAND = ("annotate.py", f"study={STUDY}", "answers=[writing_*.json]", "raters=[ann]", "port=0", "link_days=1")
ACKNOWLEDGED = "acknowledged.txt"  # keys of the verdicts that the server has acknowledged, one a line


def write_answers(folder: Path) -> None:
    """Write answers of two arms in both languages, in the format of the paper's authors."""
    for lang in ("zh", "en"):
        for arm in ("baseline", "origin"):
            rows = {
                str(number): {"prompt": f"Write {number}.", "my_response": f"Text {number} of {arm}, {lang}."}
                for number in range(1, QUERIES + 1)
            }
            (folder / f"writing_{lang}_{arm}.json").write_text(json.dumps(rows), encoding="utf-8")


def run_annotate(folder: Path, home: Path, kill_after: float | None) -> tuple[int, str] | None:
    """Serve the page until its rater has judged everything, or until it is killed. Returns what `finish` returns."""
    process = start(COMMAND, folder, home)
    timer = kill_later([process], kill_after)
    try:
        if link := _wait_for_link(process):
            _judge(link, folder / ACKNOWLEDGED)
            with suppress(ProcessLookupError):  # it was killed
                process.kill(signal.SIGINT)
        return finish(process)
    finally:
        timer.cancel()


def _wait_for_link(process: Forked) -> str | None:
    """Return the rater's link once it is printed; None if the server ends before."""
    while process.poll() is None:
        if "Ctrl-C" in process.printed and (found := re.search(r"^ann: (\S+)", process.printed, re.MULTILINE)):
            return found[1]
        time.sleep(0.01)
    return None


def _judge(link: str, acknowledged: Path) -> None:
    """Judge what is left on a rater's page, until nothing is or the server is gone; note the keys of verdicts."""
    with httpx.Client(timeout=30) as client, acknowledged.open("a", encoding="utf-8") as noted:
        try:
            page = client.get(link).raise_for_status()
            state = json.loads(re.search(r'id="state"[^>]*>(.*?)</script>', page.text, re.DOTALL)[1])  # type: ignore[index]
            client.headers["X-CSRF"] = state["csrf"]
            if not state["agreed"]:
                agreed = {"agreed": True, "langs": ["zh", "en"]}
                state = client.post(f"{link}/start", json=agreed).raise_for_status().json()
            while state["tasks"]:
                sent = _verdict(state["tasks"][0])
                state = client.post(f"{link}/send", json=sent).raise_for_status().json()
                noted.write(f"{sent['key']}\n")
                noted.flush()
        except httpx.TransportError:  # the server was killed
            return


def _verdict(task: dict[str, Any]) -> dict[str, Any]:
    """Return a verdict that depends only on the texts, not on their order on the page."""
    places = sorted(range(len(task["answers"])), key=lambda place: str(task["answers"][place]))
    answered = {"groups": [[place] for place in places], "seconds": 30, "read": [1] * len(places)}
    return {"number": task["number"], "key": uuid4().hex, "answered": answered}
