"""Measure what a rater's browser loads, beside the paper authors' page: python -m benchmarks.annotation_traffic

A browser opens the page and ranks a few queries, each as soon as it is there. Counted are bytes on the wire, requests
and messages of web sockets: of the first page, and of each query after it. The authors' page is rank.py of
github.com/COIG-Writer/COIG-Writer. It is measured too if `--authors rank.py` names it, and `--python` a Python that has
Streamlit. The last line is JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.annotation import make_questions, make_store, serve
from benchmarks.measuring import parse_arguments
from coig.annotation.run import read_links

SMALLEST = {"queries": 2}
CHROMIUM = "/usr/bin/chromium"
THEIR_NAMES = {"cw+1k": "1k", "cw+5k": "5k", "cw+10k": "10k", "cw": "origin", "general": "baseline"}


class Traffic:
    """Counts what a page sends and receives."""

    def __init__(self, page: Page) -> None:
        self.bytes = self.messages = 0
        devtools = page.context.new_cdp_session(page)
        devtools.send("Network.enable")
        devtools.on("Network.requestWillBeSent", lambda _: self._add(1, 0))
        devtools.on("Network.loadingFinished", lambda event: self._add(0, event["encodedDataLength"]))
        devtools.on("Network.webSocketFrameSent", lambda event: self._add(1, _size_of(event["response"])))
        devtools.on("Network.webSocketFrameReceived", lambda event: self._add(0, _size_of(event["response"])))

    def _add(self, messages: int, size: float) -> None:
        """Add to the counts of messages and bytes."""
        self.messages += messages
        self.bytes += int(size)

    def take(self) -> tuple[int, int]:
        """Return the bytes, and the requests and messages sent, since the last call."""
        taken = self.bytes, self.messages
        self.bytes = self.messages = 0
        return taken


def _size_of(frame: dict[str, Any]) -> int:
    """Return the bytes of a web socket frame's payload; a binary payload is given in base64."""
    return len(frame["payloadData"].encode()) if frame["opcode"] == 1 else len(frame["payloadData"]) * 3 // 4


def rank_on_ours(page: Page) -> None:
    """Rank all answers on our page; wait until the next task is shown and the server has saved the ranking."""
    before = page.inner_text("#progress")
    for key in "12345":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_function("before => document.getElementById('progress').textContent !== before", arg=before)
    page.wait_for_function("() => !document.getElementById('saved').dataset.waiting")


def rank_on_theirs(page: Page) -> None:
    """Choose an answer for each rank on the authors' page; wait until the next query is shown, and a second more."""
    before = page.get_by_text("数据条目").inner_text()
    for rank, group in enumerate(page.get_by_role("radiogroup").all()):
        group.locator("label").nth(rank).click()
    page.get_by_text("提交排名并进入下一组").click()
    page.wait_for_function("before => !document.body.innerText.includes(before)", arg=before)
    page.wait_for_timeout(1000)


def measure(address: str, ready: str, rank: Callable[[Page], None], queries: int) -> dict[str, float]:
    """Let a browser open a page and rank queries; return what it loaded, and the seconds until the first task.

    The result has bytes and messages of the first page, and both per query.

    Args:
        ready: a selector of what the page shows once the first task is there.
        rank: ranks one query on the page.
        queries: how many queries to rank.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page()
        traffic = Traffic(page)
        begin = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(ready)
        seconds = time.perf_counter() - begin
        page.wait_for_timeout(1000)
        first = traffic.take()
        for _ in range(queries):
            rank(page)
        total = traffic.take()
        browser.close()
    names = ("bytes_of_first_page", "messages_of_first_page", "bytes_per_query", "messages_per_query")
    values = (*first, *(one / queries for one in total))
    return dict(zip(names, map(float, values), strict=True)) | {"seconds_to_first_task": seconds}


@contextmanager
def serving_ours(folder: Path, queries: int) -> Iterator[str]:
    """Serve a made-up study to one rater while the block runs; yield the address of the rater's page."""
    store = make_store(folder, queries)
    links = read_links(folder, 1)
    code = store.add_rater("rater", ("zh",))
    store.start(code, ())
    store.database.close()
    listening = socket.create_server(("127.0.0.1", 0))
    context = multiprocessing.get_context("fork")
    process = context.Process(target=serve, args=(folder, queries, listening), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/r/{links.sign('rater', code)}"
    process.kill()


@contextmanager
def serving_theirs(folder: Path, queries: int, script: Path, python: str) -> Iterator[str]:
    """Serve the same answers by the authors' script while the block runs; yield its page's address.

    The script's paths are replaced in a copy. `python` is a Python that has Streamlit.
    """
    questions = make_questions(queries + 10)
    for arm, name in THEIR_NAMES.items():
        answers = {one.query_id: {"prompt": one.prompt, "my_response": one.answers[arm]} for one in questions}
        file = folder / f"wirting_zh_pair_merge_{name}_3epoch_副本.json"
        file.write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    code = re.sub(r"'/[^']*/(?=wirting_zh)", f"'{folder}/", script.read_text(encoding="utf-8"))
    (folder / "rank.py").write_text(code, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true", "--browser.gatherUsageStats=false"]
    process = subprocess.Popen(
        [python, "-m", "streamlit", "run", "rank.py", "--server.address=127.0.0.1", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": ""},
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health")
            break
        except urllib.error.URLError:
            time.sleep(0.1)
    yield address
    process.kill()
    process.wait()


def main() -> None:
    """Measure our page, and the authors' if `--authors` names it; print the figures."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=5, help="to rank")
    parser.add_argument("--authors", type=Path, help="the authors' rank.py")
    parser.add_argument("--python", default="python", help="a Python with Streamlit")
    arguments = parse_arguments(parser, SMALLEST)
    found = {}
    with tempfile.TemporaryDirectory() as name, serving_ours(Path(name), arguments.queries) as address:
        found["ours"] = measure(address, "#answers", rank_on_ours, arguments.queries)
    if arguments.authors:
        with (
            tempfile.TemporaryDirectory() as name,
            serving_theirs(Path(name), arguments.queries, arguments.authors, arguments.python) as address,
        ):
            found["authors"] = measure(address, "[role=radiogroup]", rank_on_theirs, arguments.queries)
    for page, values in found.items():
        for key, value in values.items():
            print(f"{page:10}{key:24}{value:14,.1f}")
    print(
        json.dumps(
            {f"{page}_{key}": round(value, 2) for page, values in found.items() for key, value in values.items()}
        )
    )


if __name__ == "__main__":
    main()
