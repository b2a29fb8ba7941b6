"""Measure the raters' page under load: python -m benchmarks.annotation

Twenty raters at once judge over HTTP: each sends a verdict and gets the next task, as fast as the server answers.
Before that as many clients ask for an empty page of the same server. The load comes from this machine and shares its
cores. The last line is JSON: milliseconds, and bytes per query.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import socket
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.measuring import parse_arguments
from coig.annotation.run import make_annotation_app, read_links
from coig.annotation.store import Store
from coig.config import AnnotateConfig
from coig.config.command_line import config_of
from coig.records.judgment_database import TABLES
from coig.study.items import AnsweredQuery
from coig.web.database import open_database
from coig.web.serving import make_uvicorn_server

SMALLEST = {"raters": 2, "queries": 3}
CHARACTERS = 1_100  # of a Chinese answer, as in the paper
COMMON = 3_500  # characters in common use
ARMS = ("cw", "cw+1k", "cw+5k", "cw+10k", "general")


def make_questions(count: int) -> list[AnsweredQuery]:
    """Return so many questions, each with five answers of the paper's length, in random Chinese characters.

    Repeated text would compress away.
    """
    chance = random.Random(0)

    def write(length: int) -> str:
        """Return `length` random characters."""
        return "".join(chr(chance.randrange(0x4E00, 0x4E00 + COMMON)) for _ in range(length))

    return [
        AnsweredQuery(f"zh-{number}", "zh", "poetry", write(283), {arm: write(CHARACTERS) for arm in ARMS})
        for number in range(count)
    ]


def make_store(folder: Path, queries: int) -> Store:
    """Open the store of a SQLite database in a folder, with ten questions more than the `queries` that are judged."""
    config = config_of("annotate", AnnotateConfig, ["study=benchmark"])
    return Store(open_database(folder / "judgments.sqlite", TABLES), make_questions(queries + 10), config)


def serve(folder: Path, queries: int, listening: socket.socket) -> None:
    """Serve the study of `make_store` on the socket `listening`, until the process is ended."""
    app = make_annotation_app(make_store(folder, queries), "benchmark", read_links(folder, 1), "http://127.0.0.1")
    make_uvicorn_server(app).run(sockets=[listening])


async def time_request(call: Callable[[], Awaitable[httpx.Response]]) -> tuple[float, httpx.Response]:
    """Return the seconds that a request takes, and its response. Raises RuntimeError if it is refused."""
    begin = time.perf_counter()
    response = await call()
    if response.status_code != 200:
        raise RuntimeError(f"{response.status_code}: {response.text[:200]}")
    return time.perf_counter() - begin, response


async def judge(address: str, csrf: str, queries: int) -> list[tuple[float, int]]:
    """Judge so many queries as one rater; return the seconds and the downloaded bytes of each request.

    Args:
        address: of the rater's page.
    """
    found = []
    async with httpx.AsyncClient(timeout=60, headers={"X-CSRF": csrf}) as client:
        for number in range(1, queries + 1):
            answered = {"groups": [[0], [1], [2, 3], [4]], "seconds": 60, "visible": 70, "read": [1, 1, 1, 1, 1]}
            body: dict[str, Any] = {
                "number": number,
                "key": f"{address[-16:]}-{number:04}".replace("_", "-"),
                "answered": answered,
            }

            def send(body: dict[str, Any] = body, number: int = number) -> Awaitable[httpx.Response]:
                """Send the verdict, and ask for the next task."""
                return client.post(f"{address}/send?have={number + 1}", json=body)

            seconds, response = await time_request(send)
            found.append((seconds, response.num_bytes_downloaded))
    return found


async def ask_empty_page(address: str, times: int) -> list[float]:
    """Ask for the empty page so many times; return the seconds of each request."""
    async with httpx.AsyncClient(timeout=60) as client:
        return [(await time_request(lambda: client.get(address)))[0] for _ in range(times)]


async def measure(base: str, raters: list[tuple[str, str]], queries: int) -> dict[str, float]:
    """Let as many clients as raters ask for an empty page, then all raters judge at once; return the figures by name.

    Args:
        base: the server's address.
        raters: (path of the page, CSRF token) of each rater.
        queries: how many queries each rater judges.
    """
    empty = np.concatenate(await asyncio.gather(*(ask_empty_page(f"{base}/health", queries) for _ in raters)))
    begin = time.perf_counter()
    judged = np.concatenate(await asyncio.gather(*(judge(base + path, csrf, queries) for path, csrf in raters)))
    seconds = time.perf_counter() - begin
    async with httpx.AsyncClient() as client:
        page = await client.get(base + raters[0][0])
    return {
        "p50_ms": float(np.percentile(judged[:, 0], 50) * 1000),
        "p95_ms": float(np.percentile(judged[:, 0], 95) * 1000),
        "empty_p95_ms": float(np.percentile(empty, 95) * 1000),
        "ratio_p95": float(np.percentile(judged[:, 0], 95) / np.percentile(empty, 95)),
        "verdicts_per_second": len(judged) / seconds,
        "bytes_per_query": float(judged[:, 1].mean()),
        "bytes_of_first_page": float(page.num_bytes_downloaded),
    }


def main() -> None:
    """Serve a made-up study in a process of its own, and print what its raters measure."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--raters", type=int, default=20, help="at once")
    parser.add_argument("--queries", type=int, default=30, help="that each of them judges")
    arguments = parse_arguments(parser, SMALLEST)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_store(folder, arguments.queries)
        links = read_links(folder, 1)
        raters = []
        for number in range(arguments.raters):
            code = store.add_rater(f"rater {number}", ("zh",))
            store.start(code, ())
            store.next_tasks(code, 2)
            token = links.sign("rater", code)
            raters.append((f"/r/{token}", links.csrf(token)))
        store.database.close()
        listening = socket.create_server(("127.0.0.1", 0))
        process = multiprocessing.get_context("fork").Process(
            target=serve, args=(folder, arguments.queries, listening), daemon=True
        )
        process.start()
        found = asyncio.run(measure(f"http://127.0.0.1:{listening.getsockname()[1]}", raters, arguments.queries))
        process.kill()
        process.join()
    for key, value in found.items():
        print(f"{key:24}{value:10.1f}")
    print(json.dumps({key: round(value, 2) for key, value in found.items()}))


if __name__ == "__main__":
    main()
