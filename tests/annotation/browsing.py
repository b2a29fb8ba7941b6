"""A real server of annotate.py and a real browser that looks at its pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from coig.records.judgment import Judgment
from coig.records.judgment_database import DATABASE, TABLES, read_database
from coig.web.database import open_database
from tests.browsers import Process, open_link, wait_until_acknowledged
from tests.forked import PATIENCE

FILES = {"general": "baseline", "cw": "origin", "cw+1k": "1k", "cw+5k": "5k", "cw+10k": "10k"}
SETTINGS = "raters={ann: zh, bob: [zh, en], eve: zh}", "protocol.good=true"
TEXT = {"zh": "雨下了三天，巷口的灯一直亮着。老周把伞靠在门边。", "en": "The rain had not let up for three days. "}


class Served(Process):
    """A running annotate.py with its links."""

    def __init__(self, folder: Path, *overrides: str, port: int = 0) -> None:
        settings = ("study=authors", "answers=[*.json]", f"port={port}")
        super().__init__(folder, "annotate.py", *settings, *overrides, last=" to judge")


def write_answers(folder: Path, queries: int = 4) -> None:
    """Write the authors' five files of each language."""
    for lang, text in TEXT.items():
        for place, name in enumerate(FILES.values()):
            answers = {
                str(query): {
                    "prompt": f"{query}: {text}",
                    "my_response": f"{query} {name}. {text * (3 + place)}",
                }
                for query in range(1, queries + 1)
            }
            file = folder / f"writing_{lang}_{name}.json"
            file.write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")


def judgments(folder: Path, rater: str | None = None) -> list[Judgment]:
    """Return what is stored, of one rater or of all."""
    database = open_database(folder / "multirun" / "authors" / DATABASE, TABLES)
    with database.reading() as connection:
        found = read_database(connection, "authors")
    database.close()
    return [one for one in found if rater in (None, one.rater)]


def open_page(browser: Browser, link: str, **options: object) -> Page:
    """Open a link in a new browser profile, and begin if the page asks for that."""
    page = open_link(browser, link, **options)
    if page.locator("#begin").count():
        page.click("#begin")
    page.wait_for_selector("#answers")
    return page


def begin(link: str) -> None:
    """Agree to take part over HTTP, so that the page shows the first task at once."""
    with httpx.Client(timeout=PATIENCE) as client:
        state = json.loads(re.search(r'id="state"[^>]*>(.*?)</script>', client.get(link).text, re.S)[1])  # type: ignore[index]
        headers = {"X-CSRF": state["csrf"]}
        client.post(f"{link}/start", json={"agreed": True}, headers=headers).raise_for_status()


def ranks(page: Page) -> str:
    """Return the order in the bar as `B=D>A`."""
    chips = page.locator("#ranks li").evaluate_all(
        "items => items.map(one => [one.classList.contains('tied'), one.querySelector('.chip').lastChild.textContent])"
    )
    return "".join((("=" if tied else ">") if place else "") + letter for place, (tied, letter) in enumerate(chips))


def number_of(page: Page) -> int:
    return int(re.search(r"\d+", page.inner_text("#progress"))[0])  # type: ignore[index]


def send(page: Page, key: str | None = None) -> None:
    """Send what is chosen, and wait until another task is shown and the server has everything."""
    before = page.inner_text("#progress")
    if key:
        page.keyboard.press(key)
    else:
        page.click("#send")
    page.wait_for_function("before => document.getElementById('progress').textContent !== before", arg=before)
    wait_until_acknowledged(page)


def wait_until_left(page: Page, number: int) -> None:
    """Wait until another task than the given one is shown."""
    expect(page.locator("#progress")).not_to_contain_text(re.compile(rf"^\D*{number}\D"))


def ranks_of(one: Judgment) -> str:
    """Return a ranking as `B>D=A`, by the letters of the page."""
    assert isinstance(one.value, list)
    rank = {arm: int(place) for arm, place in zip(one.arms, one.value, strict=True)}
    groups = [
        [chr(65 + place) for place, arm in enumerate(one.order or ()) if rank[arm] == r]
        for r in sorted(set(rank.values()))
    ]
    return ">".join("=".join(group) for group in groups)


def drag(page: Page, place: int, other: int, share: float) -> None:
    """Drag a chip to a share of another chip's width."""
    source = page.locator(f'#lists .chip[data-place="{place}"]').bounding_box()
    target = page.locator(f'#lists .chip[data-place="{other}"]').bounding_box()
    assert source
    assert target
    page.mouse.move(source["x"] + source["width"] / 2, source["y"] + source["height"] / 2)
    page.mouse.down()
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + target["height"] / 2, steps=3)
    page.mouse.move(target["x"] + share * target["width"], target["y"] + target["height"] / 2, steps=3)
    page.mouse.up()
