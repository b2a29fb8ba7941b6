"""The pages' accessibility by axe-core, and their widths on phones and large screens."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.annotation.browsing import CHROMIUM, Served, open_page, write_answers

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")


def axe() -> str:
    """Return the source of axe-core, which axe-playwright-python brings."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("needs axe-playwright-python")
    return next(Path(spec.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8")


def violations(page: Page, source: str) -> list[str]:
    """Return what axe-core finds on a page: everything in light colours, and the contrast once more in dark ones."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(source)
    found = []
    for scheme, rules in (("light", ["wcag2a", "wcag2aa", "wcag21aa"]), ("dark", ["color-contrast"])):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += page.evaluate("rules => axe.run({runOnly: rules})", rules)["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


@pytest.fixture(scope="module", params=["ranking", "pairs", "rating"])
def protocol(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a study of each protocol, for tests that judge nothing."""
    folder = tmp_path_factory.mktemp(request.param)
    write_answers(folder)
    raters = "raters={ann: zh, bob: en, new: null}"
    found = Served(folder, raters, f"protocol={request.param}", "protocol.good=true")
    yield found
    found.kill()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_is_accessible_in_both_themes(browser: Browser, protocol: Served, lang: str) -> None:
    source = axe()
    page = open_page(browser, f"{protocol.links['ann']}?lang={lang}")
    found = violations(page, source)
    page.keyboard.press("1")
    page.keyboard.press("2")
    found += violations(page, source)
    page.click("#cannot")
    found += violations(page, source)
    page.keyboard.press("Escape")
    page.click("#help-button")
    found += violations(page, source)
    for name in ("new", "leader"):
        page.goto(f"{protocol.links[name]}?lang={lang}")
        page.wait_for_load_state("networkidle")
        found += violations(page, source)
    page.context.close()
    assert not found, "\n".join(found)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_nothing_is_wider_than_the_screen(browser: Browser, protocol: Served, lang: str) -> None:
    page = open_page(browser, f"{protocol.links['bob']}?lang={lang}")
    for width in (320, 768, 1440):
        page.set_viewport_size({"width": width, "height": 640})
        page.reload()
        page.wait_for_selector("#answers")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        for part in ("#prompt", "#bar", "#send"):
            expect(page.locator(part)).to_be_in_viewport(ratio=1)
        main = page.locator("#main").bounding_box()
        assert main
        assert main["height"] >= 320  # half of the screen is for reading
        for button, heading in (("#cannot", "#abstain-heading"), ("#help-button", "#help-heading")):
            page.click(button)
            assert page.evaluate("() => document.querySelector('dialog[open]').scrollWidth") <= width
            expect(page.locator(heading)).to_be_in_viewport()  # a dialog opens at its beginning
            page.keyboard.press("Escape")
    page.context.close()
