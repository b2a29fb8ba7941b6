"""A server that is killed again and again while people judge: nothing acknowledged is lost, nothing counts twice."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from coig.annotation.run import make_annotation_app, read_links
from coig.annotation.store import Store
from coig.records.judgment_database import TABLES, read_database
from coig.web.database import open_database
from coig.web.links import Links
from coig.web.serving import make_uvicorn_server
from tests.annotation.studies import make_config, make_questions, make_store
from tests.forked import PATIENCE

RATERS = 8


def serve(place: Path | str, folder: Path, listening: socket.socket) -> None:
    """Serve the study, in a process of its own, until it is killed."""
    store = Store(open_database(place, TABLES), make_questions(400), make_config())
    app = make_annotation_app(store, "demo", read_links(folder, 1), "http://127.0.0.1")
    make_uvicorn_server(app).run(sockets=[listening])


class Rater(threading.Thread):
    """A rater who judges until told to stop, and sends again whatever was not acknowledged."""

    def __init__(self, address: str, csrf: str, number: int, stop: threading.Event) -> None:
        super().__init__()
        self.address, self.number, self.stop = address, number, stop
        # not made in the thread: a server that is forked meanwhile would wait for OpenSSL's locks for ever
        self.client = httpx.Client(timeout=PATIENCE, headers={"X-CSRF": csrf})
        self.acknowledged: dict[str, int] = {}  # key → task

    def run(self) -> None:
        number = 1
        with self.client as client:
            while not self.stop.is_set():
                key = f"rater-{self.number}-task-{number}-key"
                body = {"number": number, "key": key, "answered": {"groups": [[4], [3], [2, 1], [0]]}}
                try:
                    reply = client.post(f"{self.address}/send?have=1", json=body)
                except httpx.HTTPError:
                    continue
                if reply.status_code == 200:
                    self.acknowledged[key] = number
                    number += 1
                else:
                    assert reply.status_code == 429, reply.text
                    self.stop.wait(0.5)


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_and_nothing_doubled(place: Path | str, tmp_path: Path, kills: int) -> None:
    store = make_store(place, make_questions(400))
    links = read_links(tmp_path, 1)
    listening = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    raters = [make_rater(store, links, number, listening, stop) for number in range(RATERS)]
    store.database.close()
    chance = random.Random(0)
    for rater in raters:
        rater.start()
    for _ in range(kills):
        process = multiprocessing.get_context("fork").Process(target=serve, args=(place, tmp_path, listening))
        process.start()
        before = sum(len(rater.acknowledged) for rater in raters)
        end = time.monotonic() + PATIENCE
        while sum(len(rater.acknowledged) for rater in raters) < before + 4 and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    stop.set()
    listening.close()
    for rater in raters:
        rater.join()
    database = open_database(place, TABLES)
    with database.reading() as connection:
        found = read_database(connection, "demo", history=True)
    database.close()
    keys = [one.id for one in found]
    acknowledged = {key for rater in raters for key in rater.acknowledged}
    assert len(acknowledged) >= 4 * kills
    assert acknowledged <= set(keys)
    assert len(set(keys)) == len(keys)
    assert len({(one.rater, one.query_id) for one in found}) == len(found)  # one verdict of each rater on each query
    assert len(keys) <= len(acknowledged) + RATERS  # those that were stored just before a kill


def make_rater(store: Store, links: Links, number: int, listening: socket.socket, stop: threading.Event) -> Rater:
    code = store.add_rater(f"rater {number}", ("zh", "en"))
    store.start(code, ())
    store.next_tasks(code, 2)
    token = links.sign("rater", code)
    return Rater(f"http://127.0.0.1:{listening.getsockname()[1]}/r/{token}", links.csrf(token), number, stop)
