"""A rater's and a leader's whole way through each protocol: what is stored, axe-core's findings, and small screens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.annotation.browsing import Served, begin, judgments, open_page, write_answers
from tests.browsers import CHROMIUM, RULES, WIDTHS, Inspector, wait_until_acknowledged
from tests.forked import PATIENCE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
SETTINGS = (
    "raters={ann: null, bob: [zh, en], cleo: null, dan: [zh, en], old: [zh, en]}",
    "protocol.good=true",
    "practice=true",
    "queries_per_rater=1",
    "completion.code=C0DE",
)
WAYS = [("ranking", "zh"), ("pairs", "en"), ("rating", "zh")]
OTHERS = [("ranking", "en"), ("pairs", "zh"), ("rating", "en")]


@pytest.fixture(scope="module")
def serve_protocol(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], Served]:
    """Return a function that serves a study of a protocol, one server for all tests."""
    there: dict[str, Served] = {}

    def serve(protocol: str) -> Served:
        if protocol not in there:
            folder = tmp_path_factory.mktemp(protocol)
            write_answers(folder)
            there[protocol] = Served(folder, f"protocol={protocol}", *SETTINGS)
            request.addfinalizer(there[protocol].kill)
        return there[protocol]

    return serve


def choose_by_key(page: Page, protocol: str, places: int) -> None:
    """Choose something for each answer, by keys only."""
    keys = {"ranking": "12345"[:places], "pairs": "2", "rating": "3" + "1" * (5 * places - 1)}[protocol]
    for key in keys:
        page.keyboard.press(key)
    page.locator('#good input[value="true"]').focus()
    page.keyboard.press("Space")
    page.locator("#prompt").focus()


def practise(page: Page, protocol: str, inspector: Inspector) -> None:
    """Go through the three examples: a wrong answer, a right one, and one that cannot be judged."""
    inspector.inspect("practice")
    choose_by_key(page, protocol, 2 if protocol == "pairs" else 3)
    page.click("#send")
    inspector.inspect("feedback")
    page.keyboard.press("Enter")  # the focus is on the button that goes on
    expect(page.locator("#progress")).to_have_text(re.compile("(练习|Practice) 2"))
    choose_by_key(page, protocol, 2 if protocol == "pairs" else 3)
    page.click("#send")
    page.click("#feedback button")
    expect(page.locator("#progress")).to_have_text(re.compile("(练习|Practice) 3"))
    page.click("#cannot")
    page.check('#abstain input[value="refused"]')
    page.click("#abstain button.primary")
    expect(page.locator("#feedback-heading")).to_be_visible()
    assert page.locator("#ours").count() == 0  # that was the right answer
    page.click("#feedback button")


@pytest.mark.parametrize(
    ("protocol", "lang", "in_dark"),
    [(*WAYS[0], ["color-contrast"])]  # the other rules find the same in both themes
    + [pytest.param(*way, RULES, marks=pytest.mark.slow) for way in (*WAYS, *OTHERS)],
)
def test_a_whole_way_without_barriers(
    browser: Browser, serve_protocol: Callable[[str], Served], protocol: str, lang: str, in_dark: list[str]
) -> None:
    served = serve_protocol(protocol)
    asked, known = ("ann", "bob") if in_dark != RULES else ("cleo", "dan")  # each test is another rater
    name = asked if lang == "zh" else known
    before = len(judgments(served.folder))
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.context.set_default_timeout(1000 * PATIENCE)
    inspector = Inspector(page, in_dark)
    page.goto(f"{served.links[name]}x?lang={lang}")
    inspector.inspect("error")
    page.goto(f"{served.links[name]}?lang={lang}")
    inspector.inspect("start")
    if name == asked:
        page.locator(f"fieldset input[value={lang}]").check()
    page.click("#begin")
    practise(page, protocol, inspector)
    expect(page.locator("#back")).to_be_visible()
    inspector.inspect("task")
    assert len(judgments(served.folder)) == before  # nothing of the practice is stored
    choose_by_key(page, protocol, 5)
    inspector.inspect("chosen")
    page.click("#cannot")
    inspector.inspect("cannot judge")
    page.keyboard.press("Escape")
    page.click("#help-button")
    inspector.inspect("help")
    page.keyboard.press("Escape")
    page.locator("#prompt").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#code")).to_have_text("C0DE")
    inspector.inspect("thanks")
    wait_until_acknowledged(page)
    page.goto(f"{served.links['leader']}?lang={lang}")
    page.locator("button[popovertarget]").first.click()
    inspector.inspect("leader")
    page.close()
    assert not inspector.found, "\n".join(inspector.found)
    stored = judgments(served.folder)[before:]
    assert {one.kind for one in stored} == {{"pairs": "pairwise"}.get(protocol, protocol)}
    assert {one.rater for one in stored} == {name}
    if protocol == "rating":
        first = next(one for one in stored if one.order and one.arms == one.order[:1])
        assert isinstance(first.value, dict)
        assert sorted(first.value.values()) == [1, 1, 1, 1, 3]


@pytest.mark.parametrize(("protocol", "lang"), [*WAYS, *(pytest.param(*way, marks=pytest.mark.slow) for way in OTHERS)])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, serve_protocol: Callable[[str], Served], protocol: str, lang: str
) -> None:
    link = serve_protocol(protocol).links["old"]
    begin(link)
    page = open_page(browser, f"{link}?lang={lang}")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 640})
        page.reload()
        page.wait_for_selector("#answers")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        if protocol == "ranking":
            page.keyboard.press("1")  # the longest text of this button
            expect(page.locator("article .place").first).to_be_in_viewport(ratio=1)
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
