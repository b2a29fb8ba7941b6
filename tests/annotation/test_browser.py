"""The raters' page in a real browser, with a real server that is killed in mid-study."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from coig.config import EvaluateConfig
from coig.config.command_line import config_of
from coig.evaluation import evaluate
from tests.annotation.browsing import (
    FILES,
    SETTINGS,
    Served,
    drag,
    judgments,
    number_of,
    open_page,
    ranks,
    ranks_of,
    send,
    wait_until_left,
)
from tests.browsers import CHROMIUM, open_link, wait_until_acknowledged

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")


def rank_by_tap_key_and_drag(page: Page) -> None:
    """Rank five answers in each way that the page offers, and check what stands in the bar after each."""
    # by tap: on an answer, on a chip; undo
    page.click("article:nth-child(2) .place")
    page.click('#tray .chip[data-place="0"]')
    assert ranks(page) == "B>A"
    page.click("#undo")
    assert ranks(page) == "B"
    # by key, with a tie
    for key in "4=135":
        page.keyboard.press(key)
    assert ranks(page) == "B>D=A>C>E"
    expect(page.locator("#send")).to_be_disabled()  # the second question is open
    page.check('#good input[value="true"]')
    # by drag: E before B, then A onto C
    drag(page, 4, 1, 0.1)
    assert ranks(page) == "E>B>D=A>C"
    drag(page, 0, 2, 0.5)
    assert ranks(page) == "E>B>D>C=A"


def evaluate_authors_workflow(folder: Path) -> None:
    """Check that evaluate.py makes the table of win rates of what was judged."""
    evaluate(config_of("evaluate", EvaluateConfig, ["study=authors", "answers=[*.json]"]))
    rates = pl.read_csv(folder / "multirun" / "authors" / "evaluation" / "win_rates.csv")
    assert set(rates["arm"]) == set(FILES)
    assert set(rates["verdicts"]) == {3}
    methods = (folder / "multirun" / "authors" / "evaluation" / "latex" / "methods.tex").read_text(encoding="utf-8")
    assert methods.startswith("1 rater ranked all answers")


def test_ranks_ties_abstains_goes_back_and_survives_a_kill(
    browser: Browser, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = served.folder
    page = open_page(browser, served.links["ann"] + "?lang=zh")
    expect(page.locator("#send")).to_be_disabled()

    rank_by_tap_key_and_drag(page)

    # a reload loses nothing
    texts = page.locator("article .text").all_inner_texts()
    expect(page.locator("#saved")).to_contain_text(re.compile(r"已保存 \d\d:\d\d"))
    page.reload()
    page.wait_for_selector("#answers")
    assert ranks(page) == "E>B>D>C=A"
    assert page.locator("article .text").all_inner_texts() == texts
    send(page)

    # an abstention, with a reason that must be chosen
    page.click("#cannot")
    expect(page.locator("#abstain button.primary")).to_be_disabled()
    page.check('#abstain input[value="refused"]')
    page.check('#abstain input[name="about"][value="3"]')
    before = number_of(page)
    page.click("#abstain button.primary")
    wait_until_left(page, before)

    # back to the first one, changed
    page.click("#back")
    page.click("#back")
    assert number_of(page) == 1
    assert ranks(page) == "E>B>D>C=A"
    page.keyboard.press("5")
    page.keyboard.press("5")
    assert ranks(page) == "B>D>C=A>E"
    send(page)
    acknowledged = judgments(folder)
    assert [one.kind for one in acknowledged] == ["abstention", "ranking"]

    # killed in mid-study, then on in another browser
    with page.expect_response(lambda response: response.url.endswith("/draft")):
        for key in "123":
            page.keyboard.press(key)
    served.kill()
    page.keyboard.press("4")
    page.keyboard.press("5")
    page.check('#good input[value="false"]')
    page.click("#send")  # there is no server
    expect(page.locator("#saved")).to_contain_text("无网络")
    assert number_of(page) == 4  # the page goes on
    served.process = Served(folder, *SETTINGS, port=served.port).process
    page.evaluate("() => dispatchEvent(new Event('online'))")
    wait_until_acknowledged(page)
    assert len(judgments(folder)) == 3

    other = open_page(browser, served.links["ann"] + "?lang=en")
    assert number_of(other) == 4
    for key in "12345":
        other.keyboard.press(key)
    other.check('#good input[value="true"]')
    other.click("#send")
    expect(other.locator("#main")).to_contain_text("All done")
    wait_until_acknowledged(other)
    found = judgments(folder)
    assert len(found) == 4
    first, abstained = found[1], found[0]
    assert ranks_of(first) == "B>D>A=C>E"
    assert (abstained.value, abstained.arms, abstained.good) == ("refused", ((abstained.order or ())[3],), None)
    assert (first.good, found[2].good) == (True, False)
    assert first.seconds is not None
    assert first.seconds > 0
    assert set(first.read or {}) == set(first.arms)
    assert max((first.read or {}).values()) > 0
    monkeypatch.chdir(folder)
    evaluate_authors_workflow(folder)


def test_by_keyboard_alone_with_an_input_method(browser: Browser, shared: Served) -> None:
    page = open_page(browser, shared.links["bob"] + "?lang=en")
    devtools = page.context.new_cdp_session(page)
    # a key that belongs to an input method's composition is not ours
    composing = {"type": "rawKeyDown", "windowsVirtualKeyCode": 229, "key": "Process", "code": "Digit1"}
    devtools.send("Input.dispatchKeyEvent", composing)
    page.evaluate(
        "() => document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '1', isComposing: true, bubbles: true}))"
    )
    page.evaluate(
        "() => document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'x', isComposing: true, bubbles: true}))"
    )
    assert ranks(page) == ""
    assert page.locator("dialog[open]").count() == 0

    # an abstention with a note in Pinyin, by keys only
    page.keyboard.press("x")
    page.keyboard.press("Tab")
    page.locator("#abstain input[value='other']").focus()
    page.keyboard.press("Space")
    page.locator("#note").focus()
    devtools.send("Input.imeSetComposition", {"text": "kan bu dong", "selectionStart": 11, "selectionEnd": 11})
    devtools.send("Input.dispatchKeyEvent", composing | {"key": "Enter", "code": "Enter"})
    assert page.locator("dialog[open]").count() == 1
    devtools.send("Input.insertText", {"text": "看不懂"})
    expect(page.locator("#note")).to_have_value("看不懂")
    before = number_of(page)
    page.locator("#abstain button.primary").focus()
    page.keyboard.press("Enter")
    wait_until_left(page, before)

    # a ranking by keys only, with focus moved along the bar
    for key in "12345":
        page.keyboard.press(key)
    page.locator('#ranks .chip[data-place="4"]').focus()
    page.keyboard.press("ArrowLeft")
    assert ranks(page) == "A>B>C>E>D"
    page.keyboard.press("=")
    assert ranks(page) == "A>B>C=E>D"
    page.keyboard.press("ArrowLeft")
    assert ranks(page) == "A>B>E>C>D"
    page.locator('#good input[value="true"]').focus()
    page.keyboard.press("Space")
    page.locator("#prompt").focus()
    send(page, "Enter")
    found = judgments(shared.folder, "bob")
    assert [one.value for one in found if one.kind == "abstention"] == ["other: 看不懂"]
    assert [ranks_of(one) for one in found if one.kind == "ranking"] == ["A>B>E>C>D"]

    # everything can be reached by Tab, and the focus shows
    page.locator("body").press("Tab")
    reached = set()
    for _ in range(40):
        reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.className"))
        page.keyboard.press("Tab")
    assert {"view", "help-button", "prompt", "place", "chip", "cannot"} <= reached


def test_goes_on_without_a_network(browser: Browser, shared: Served) -> None:
    page = open_page(browser, shared.links["eve"] + "?lang=en")
    context: BrowserContext = page.context
    context.set_offline(True)
    for number in (1, 2):  # as many as the page holds
        for key in "54321":
            page.keyboard.press(key)
        page.check('#good input[value="true"]')
        page.click("#send")
        expect(page.locator("#saved")).to_contain_text(f"{number} kept on this device")
    expect(page.locator("#main")).to_contain_text("Loading")
    assert judgments(shared.folder, "eve") == []
    context.set_offline(False)
    wait_until_acknowledged(page)  # both: the third task already comes with the first reply
    expect(page.locator("#progress")).to_contain_text("No. 3")
    found = judgments(shared.folder, "eve")
    assert [ranks_of(one) for one in found] == ["E>D>C>B>A"] * 2
    assert len({one.id for one in found}) == 2


def test_the_leaders_page_is_not_drawn_anew_under_a_finger(browser: Browser, shared: Served) -> None:
    page = open_link(browser, shared.links["leader"])
    page.clock.install()
    page.reload()
    held: list[Route] = []
    page.route(shared.links["leader"], lambda route: held.append(route))
    with page.expect_request(shared.links["leader"]):
        page.clock.fast_forward(31_000)
    button = page.locator("button[popovertarget]").first
    button.hover()
    page.mouse.down()
    with page.expect_response(shared.links["leader"]) as response:
        held[0].continue_()
    response.value.finished()
    page.evaluate("async () => (await fetch('/')).text()")  # the page has taken in the reply before this one
    page.mouse.up()
    expect(page.locator(".link").first).to_be_visible()
