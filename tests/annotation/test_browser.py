"""The raters' page in a real browser, with a real server that is killed in mid-study."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from coig.config import EvaluateConfig
from coig.config.command_line import config_of
from coig.evaluation import evaluate
from coig.records.judgment import Judgment
from coig.records.judgment_database import DATABASE, TABLES, read_database
from coig.web.database import open_database
from tests.conftest import ROOT, outside

CHROMIUM = shutil.which("chromium")
PATIENCE = 60  # seconds; other tests may keep the cores busy
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
FILES = {"general": "baseline", "cw": "origin", "cw+1k": "1k", "cw+5k": "5k", "cw+10k": "10k"}
SETTINGS = "raters={ann: zh, bob: [zh, en], eve: zh}", "protocol.good=true"
TEXT = {"zh": "雨下了三天，巷口的灯一直亮着。老周把伞靠在门边。", "en": "The rain had not let up for three days. "}


class Served:
    """A running annotate.py with its links."""

    def __init__(self, folder: Path, *overrides: str, port: int = 0) -> None:
        command = [sys.executable, str(ROOT / "annotate.py"), "study=authors", "answers=[*.json]", f"port={port}"]
        self.process = subprocess.Popen(
            [*command, *overrides],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            env=outside() | {"PYTHONUNBUFFERED": "1"},
        )
        self.links: dict[str, str] = {}
        for line in self.process.stdout or ():
            if " to judge" in line:
                break
            name, _, link = line.strip().partition(": ")
            self.links[name] = link
        assert "leader" in self.links
        self.port = int(re.search(r":(\d+)/", self.links["leader"])[1])  # type: ignore[index]

    def kill(self) -> None:
        """End the process as the out-of-memory killer would."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


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


def judgments(folder: Path) -> list[Judgment]:
    database = open_database(folder / "multirun" / "authors" / DATABASE, TABLES)
    with database.reading() as connection:
        found = read_database(connection, "authors")
    database.close()
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_answers(tmp_path)
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    found = Served(folder, *SETTINGS)
    yield found
    found.kill()


def open_page(browser: Browser, link: str, **options: object) -> Page:
    """Open a link in a new browser profile, and begin if the page asks for that."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)  # type: ignore[arg-type]
    context.set_default_timeout(1000 * PATIENCE)
    expect.set_options(timeout=1000 * PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(link)
    if page.locator("#begin").count():
        page.click("#begin")
    page.wait_for_selector("#answers")
    return page


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


def wait_until_acknowledged(page: Page) -> None:
    """Wait until the server has acknowledged every verdict."""
    page.wait_for_function("() => !document.getElementById('saved').dataset.waiting")


def wait_until_left(page: Page, number: int) -> None:
    """Wait until another task than the given one is shown."""
    expect(page.locator("#progress")).not_to_contain_text(re.compile(rf"^\D*{number}\D"))


def test_ranks_ties_abstains_goes_back_and_survives_a_kill(
    browser: Browser, folder: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(browser, served.links["ann"] + "?lang=zh")
    expect(page.locator("#send")).to_be_disabled()

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
    served.process = Served(
        folder, "raters={ann: zh, bob: [zh, en], eve: zh}", "protocol.good=true", port=served.port
    ).process
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

    # the authors' workflow ends with the table of win rates
    monkeypatch.chdir(folder)
    evaluate(config_of("evaluate", EvaluateConfig, ["study=authors", "answers=[*.json]"]))
    rates = pl.read_csv(folder / "multirun" / "authors" / "evaluation" / "win_rates.csv")
    assert set(rates["arm"]) == set(FILES)
    assert set(rates["verdicts"]) == {3}
    methods = (folder / "multirun" / "authors" / "evaluation" / "latex" / "methods.tex").read_text(encoding="utf-8")
    assert methods.startswith("1 rater ranked all answers")


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


def test_by_keyboard_alone_with_an_input_method(browser: Browser, folder: Path, served: Served) -> None:
    page = open_page(browser, served.links["bob"] + "?lang=en")
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
    assert page.input_value("#note") == "看不懂"
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
    found = judgments(folder)
    assert [one.value for one in found if one.kind == "abstention"] == ["other: 看不懂"]
    assert [ranks_of(one) for one in found if one.kind == "ranking"] == ["A>B>E>C>D"]

    # everything can be reached by Tab, and the focus shows
    page.locator("body").press("Tab")
    reached = set()
    for _ in range(40):
        reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.className"))
        page.keyboard.press("Tab")
    assert {"view", "theme", "help-button", "prompt", "place", "chip free", "cannot"} <= reached


def test_goes_on_without_a_network(browser: Browser, folder: Path, served: Served) -> None:
    page = open_page(browser, served.links["eve"] + "?lang=en")
    context: BrowserContext = page.context
    context.set_offline(True)
    for number in (1, 2):  # as many as the page holds
        for key in "54321":
            page.keyboard.press(key)
        page.check('#good input[value="true"]')
        page.click("#send")
        expect(page.locator("#saved")).to_contain_text(f"{number} kept on this device")
    expect(page.locator("#main")).to_contain_text("Loading")
    assert judgments(folder) == []
    context.set_offline(False)
    page.wait_for_function("() => document.getElementById('progress').textContent.includes('No. 3')")
    found = judgments(folder)
    assert [ranks_of(one) for one in found] == ["E>D>C>B>A"] * 2
    assert len({one.id for one in found}) == 2


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
