"""Debian's chromium for the tests of pages, and axe-core, which looks for what keeps people from using a page."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.forked import PATIENCE, ROOT, outside

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTHS = (320, 768, 1440)  # pixels: a small phone, a tablet, a desk
RULES = ["wcag2a", "wcag2aa", "wcag21aa"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser for a module's tests; its event loop must have ended before tests that run one themselves."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=1000 * PATIENCE)
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=1000 * PATIENCE)
        yield found
        found.close()


class Process:
    """A command that serves a page, in a folder, with the links that it prints as `name: link` before a last line."""

    def __init__(self, folder: Path, script: str, *overrides: str, last: str) -> None:
        """Start the command, and wait until it has printed a line that holds `last`."""
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / script), *overrides],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            env=outside() | {"PYTHONUNBUFFERED": "1"},
        )
        self.links: dict[str, str] = {}
        for line in self.process.stdout or ():
            if last in line:
                break
            name, _, link = line.strip().partition(": ")
            if link.startswith("http"):
                self.links[name] = link
        assert self.links, f"{script} printed no link"
        self.port = int(re.search(r":(\d+)/", next(reversed(self.links.values())))[1])  # type: ignore[index]

    def kill(self) -> None:
        """End the process as the out-of-memory killer would."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def open_link(browser: Browser, link: str, **options: object) -> Page:
    """Open a link in a new browser profile; an error of a script on the page fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)  # type: ignore[arg-type]
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(link)
    return page


def wait_until_acknowledged(page: Page) -> None:
    """Wait until the server has acknowledged all that was sent."""
    page.wait_for_function("() => !document.getElementById('saved').dataset.waiting")


def let_time_pass(page: Page, seconds: int, path: str) -> None:
    """Let time pass on a page whose clock is installed, and wait until it has taken in what it then asks of `path`."""
    with page.expect_response(lambda response: response.url.endswith(path)) as response:
        page.clock.fast_forward(1000 * seconds)
    response.value.finished()
    page.evaluate("async () => (await fetch(location.href)).text()")  # replies are taken in one after another


def read_axe() -> str:
    """Return the source of axe-core, which axe-playwright-python brings."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("needs axe-playwright-python")
    return next(Path(spec.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8")


class Inspector:
    """Asks axe-core about a page again and again, in light and in dark colours."""

    def __init__(self, page: Page, in_dark: list[str]) -> None:
        """Ask all in light colours, and only the rules `in_dark` in dark ones."""
        self.page, self.source, self.in_dark, self.found = page, read_axe(), in_dark, list[str]()

    def inspect(self, name: str) -> None:
        """Note what axe-core finds on the page as it is now."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(self.source)
        for scheme, rules in (("light", RULES), ("dark", self.in_dark)):
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = self.page.evaluate("rules => axe.run({runOnly: rules})", rules)["violations"]
            self.found += [f"{name}, {scheme}: {one['id']}: {n['html'][:120]}" for one in found for n in one["nodes"]]
