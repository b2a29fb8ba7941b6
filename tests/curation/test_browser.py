"""The page in a real browser, with a real server that is killed while somebody writes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsers import (
    CHROMIUM,
    WIDTHS,
    Inspector,
    Process,
    let_time_pass,
    open_link,
    wait_until_acknowledged,
)
from tests.browsers import browser as browser
from tests.conftest import Command
from tests.curation.curations import only_text, run, score, write
from tests.small_model import SMALL_MODEL

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
PEOPLE = ("people=[wen,sun,ann,bob]", "input=articles.jsonl", "dedupe.against=[]")
DECISIONS = {
    "planning": "先写他怎样看伞，再写他自己用什么伞。",
    "style": "句子短，像他的话。",
    "culture": "修伞是快没有人做的手艺。",
    "narrative": "叙述者只是路过。",
    "revision": "删去了结尾的议论。",
}


class Served(Process):
    """A running curate.py with its links."""

    def __init__(self, folder: Path, stage: str = "write", port: int = 0) -> None:
        super().__init__(folder, "curate.py", "name=mine", f"stage={stage}", f"port={port}", *PEOPLE, last="Ctrl-C")


@pytest.fixture
def served(screened: None, folder: Path) -> Iterator[Served]:
    """Serve the curation of one screened article."""
    found = Served(folder)
    yield found
    found.kill()


def begin(page: Page, kind: str) -> None:
    """Open the first task of a kind."""
    page.locator(f".task[data-kind={kind}]").first.click()
    page.wait_for_selector("#task")


def send(page: Page, state: str) -> None:
    """Send what was done, and wait until the page says what became of the text."""
    page.click("#send")
    wait_until_acknowledged(page)
    expect(page.locator("#saved")).to_have_text(re.compile(state))


def give_scores(page: Page, points: int) -> None:
    """Give these points to all but the article's quality, which gets 9."""
    for name in ("article", "prompt", "reasoning"):
        for measure in ("quality", "creativity"):
            step = 9 if (name, measure) == ("article", "quality") else points
            page.locator(f"input[name={name}_{measure}][value='{step}']").check(force=True)


def select(page: Page, part: str, start: int, end: int) -> None:
    """Select some characters of a part's first text."""
    page.evaluate(
        """([part, start, end]) => {
            const text = document.querySelector(`article[aria-labelledby=part-${part}] .text`).firstChild;
            const range = document.createRange();
            range.setStart(text, start);
            range.setEnd(text, end);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
        }""",
        [part, start, end],
    )


def compose(page: Page, pinyin: str, characters: str) -> None:
    """Type as with an input method of Pinyin: Enter while it composes is its own."""
    devtools = page.context.new_cdp_session(page)
    devtools.send(
        "Input.imeSetComposition", {"text": pinyin, "selectionStart": len(pinyin), "selectionEnd": len(pinyin)}
    )
    enter = {"type": "rawKeyDown", "windowsVirtualKeyCode": 229, "key": "Enter", "code": "Enter"}
    devtools.send("Input.dispatchKeyEvent", enter)
    devtools.send("Input.insertText", {"text": characters})


def count_listeners(page: Page, kind: str) -> int:
    """Return how many listeners the page's document has for events of a kind."""
    devtools = page.context.new_cdp_session(page)
    document = devtools.send("Runtime.evaluate", {"expression": "document"})["result"]["objectId"]
    found = devtools.send("DOMDebugger.getEventListeners", {"objectId": document})["listeners"]
    return sum(one["type"] == kind for one in found)


def write_first_version(browser: Browser, served: Served) -> Page:
    """Write a triplet with a reload in between, while the server is killed and started again."""
    page = open_link(browser, served.links["wen"] + "?lang=zh")
    inspector = Inspector(page, ["color-contrast"])
    inspector.inspect("list")
    begin(page, "write")
    expect(page.locator("#send")).to_be_disabled()
    page.locator("#field-prompt").focus()
    compose(page, "xie yi pian", "写一篇")
    expect(page.locator("#field-prompt")).to_have_value("写一篇")
    expect(page.locator("#count-prompt")).to_have_text("3 字，偏短（论文：30–2,642）")
    page.fill("#field-prompt", "写一篇关于修伞人的短文，让读者看见他的手，不超过一百字，不要议论，不要抒情。")
    expect(page.locator("#count-prompt")).to_have_attribute("data-fit", "fit")
    with page.expect_response(lambda response: response.url.endswith("/draft")):
        page.fill("#field-planning", DECISIONS["planning"])
    expect(page.locator("#saved")).to_have_text(re.compile(r"已保存 \d\d:\d\d"))
    page.reload()
    page.wait_for_selector("#task")
    assert page.input_value("#field-planning") == DECISIONS["planning"]
    served.kill()
    for name, text in DECISIONS.items():
        page.fill(f"#field-{name}", text)
    inspector.inspect("write")
    page.click("#send")  # there is no server
    expect(page.locator("#saved")).to_contain_text("无网络")
    served.process = Served(served.folder, port=served.port).process
    page.evaluate("() => dispatchEvent(new Event('online'))")
    wait_until_acknowledged(page)
    expect(page.locator("#nothing")).to_be_visible()
    assert not inspector.found, "\n".join(inspector.found)
    return page


def review_first_version(browser: Browser, served: Served) -> None:
    """Let a scorer and two reviewers say what they think; the reviewers send it back with a comment at a passage."""
    scorer = open_link(browser, served.links["sun"] + "?lang=en")
    inspector = Inspector(scorer, ["color-contrast"])
    begin(scorer, "score")
    assert "wen" not in scorer.content()
    give_scores(scorer, 8)
    expect(scorer.locator("#sum")).to_have_text("Sum 49 of 60")
    give_scores(scorer, 9)
    inspector.inspect("score")
    send(scorer, "waits for reviewers")
    for name, state in (("ann", "waits for reviewers"), ("bob", "goes back to its writer")):
        reviewer = open_link(browser, served.links[name] + "?lang=en")
        for _ in range(2):
            begin(reviewer, "review")
            assert count_listeners(reviewer, "selectionchange") == 1  # however often a review is opened
            with reviewer.expect_response(  # by which the list is drawn anew
                lambda response: response.url.endswith("/tasks")
            ):
                reviewer.click("#list")
        begin(reviewer, "review")
        select(reviewer, "prompt", 3, 9)
        reviewer.click(".comment[data-part=prompt]")
        reviewer.fill("#comment-text", f"{name}: 说明写给谁看。")
        reviewer.click("#comment .primary")
        reviewer.check("input[value=refine]")
        expect(reviewer.locator("#comments")).to_contain_text("关于修伞人的")
        if name == "bob":
            reviewer.reload()
            reviewer.wait_for_selector("#form")
            expect(reviewer.locator("#comments")).to_contain_text("关于修伞人的")
            expect(reviewer.locator(".round")).to_have_count(0)  # what ann has said is not for bob's eyes
        send(reviewer, state)
        reviewer.context.close()
    inspector.page.context.close()
    assert not inspector.found, "\n".join(inspector.found)


def review_second_version(browser: Browser, served: Served) -> None:
    """Let the same reviewers look at what has changed, and accept it."""
    scorer = open_link(browser, served.links["sun"] + "?lang=en")
    begin(scorer, "score")
    give_scores(scorer, 9)
    send(scorer, "waits for reviewers")
    for name, state in (("bob", "waits for reviewers"), ("ann", "accepted")):
        reviewer = open_link(browser, served.links[name] + "?lang=en")
        inspector = Inspector(reviewer, ["color-contrast"])
        begin(reviewer, "review")
        expect(reviewer.locator("ins")).to_have_text(["写给孩子看，"])
        expect(reviewer.locator(".round")).to_contain_text("ann: 说明写给谁看。")
        inspector.inspect("review")
        assert not inspector.found, "\n".join(inspector.found)
        reviewer.check("input[value=accept]")
        send(reviewer, state)
        reviewer.context.close()


def test_one_article_from_writing_to_training(
    browser: Browser, served: Served, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = write_first_version(browser, served)
    review_first_version(browser, served)

    writer.reload()
    begin(writer, "write")
    expect(writer.locator(".round").first).to_contain_text("关于修伞人的")
    expect(writer.locator(".round").first).to_contain_text("bob: 说明写给谁看。")
    before = writer.input_value("#field-prompt")
    writer.fill("#field-prompt", before.replace("不超过", "写给孩子看，不超过"))
    writer.fill("#field-why", "说明写给谁看")
    send(writer, "等待评分")
    review_second_version(browser, served)

    text = only_text()
    assert text.state == "accepted"
    assert [version.why for version in text.triplets] == ["written", "说明写给谁看"]
    assert len({version.by.code for version in text.triplets}) == 1
    assert [event.kind for event in text.events][4:] == ["write", "score", *["review"] * 2, "verdict"] * 2
    comment = text.of_kind("review")[0].value["comments"][0]
    assert (comment["part"], comment["start"], comment["end"]) == ("prompt", 3, 9)
    assert all(event.value["seconds"] > 0 for event in text.events if event.kind in ("write", "score", "review"))

    run("stage=export", "held_out=0")
    [printed] = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("python train.py")]
    trained = command("train.py", *shlex.split(printed)[2:], "length=fast", "logger=none", *SMALL_MODEL)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    manifest = json.loads(Path("multirun/mine-curated/cw/manifest.json").read_text())
    assert [group["examples"] for group in manifest["data"]["train"]] == [1]


def test_nothing_is_wider_than_the_screen(browser: Browser, served: Served) -> None:
    assert find_faults(browser, served.links["wen"], "write") == []
    write("wen")
    assert find_faults(browser, served.links["sun"], "score") == []
    score("sun")
    assert find_faults(browser, served.links["ann"], "review") == []


def find_faults(browser: Browser, link: str, kind: str) -> list[str]:
    """Return what does not fit in the list and on both sides of a task, in both languages, on screens of each width."""
    page, faults = open_link(browser, link), list[str]()
    for lang, width in product(("zh", "en"), WIDTHS):
        page.set_viewport_size({"width": width, "height": 640})
        page.goto(f"{link}?lang={lang}")
        if page.evaluate("() => document.documentElement.scrollWidth") > width:
            faults.append(f"list, {lang}, {width}: wider than the screen")
        begin(page, kind)
        for side in ("article", "form"):
            if page.locator("#sides").is_visible():
                page.click(f"#sides [data-side={side}]")
            if page.evaluate("() => document.documentElement.scrollWidth") > width:
                faults.append(f"{side}, {lang}, {width}: wider than the screen")
            shown = page.locator(f"#{side}").bounding_box()
            if not shown or shown["height"] < 320:  # half of the screen is for reading and writing
                faults.append(f"{side}, {lang}, {width}: lower than half of the screen")
            expect(page.locator("#send")).to_be_in_viewport(ratio=1)
    page.context.close()
    return faults


def test_the_list_is_not_drawn_anew_under_a_finger_or_the_focus(browser: Browser, served: Served) -> None:
    page = open_link(browser, served.links["wen"])
    page.clock.install()
    page.reload()
    task = page.locator(".task").first

    def mark() -> None:
        task.evaluate("task => task.dataset.marked = 'yes'")

    # redrawn when nobody is at it, put off while it has the focus
    mark()
    let_time_pass(page, 31, "/tasks")
    expect(task).not_to_have_attribute("data-marked", "yes")
    mark()
    task.focus()
    let_time_pass(page, 31, "/tasks")
    expect(task).to_have_attribute("data-marked", "yes")
    task.blur()
    page.clock.fast_forward(1000)
    expect(task).not_to_have_attribute("data-marked", "yes")

    # a press that lasts while the list would have changed opens the task
    task.hover()
    page.mouse.down()
    let_time_pass(page, 31, "/tasks")
    page.mouse.up()
    expect(page.locator("#task")).to_be_visible()
