"""What a reader of the report sees, on a made-up evaluation whose every figure is known."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from coig.display.figures import render_png, render_svg
from coig.display.latex import escape, render_latex
from coig.display.numbers import interval, number, p_value, percent, signed
from coig.display.tables import Table, drop_empty_columns
from coig.display.terminal import make_console, print_table
from coig.evaluation.report.figures import draw_figures
from coig.evaluation.report.latex import render_latex_tables
from coig.evaluation.report.page import render_page, render_summary
from coig.evaluation.report.results import Evaluation, each_pair_once, strongest
from coig.evaluation.report.tables import win_rate_matrix
from tests.evaluation.synthetic_frames import ARMS, ROSTER, evaluation, win_rates
from tests.forked import PATIENCE
from tests.studies import roster_of

FRAMES = {
    "automatic": {"contamination"},
    "answers": {"length", "ttr", "mattr"},
    "win_rates": {"win_rates", "genres"},
    "strengths": {"strengths"},
    "length_control": {"length_control"},
    "behaviour": {"behaviour"},
}
SECTIONS = (
    *("claims", "win_rates", "strengths", "length_control", "agreement", "automatic", "comparisons", "contamination"),
    *("behaviour", "genres", "signatures", "arms", "reader"),
)
HOSTILE = "</script><script>alert(1)</script><img onerror=x> & \u2028\u2029 他"


class Page(HTMLParser):
    """The page's elements: their attributes by tag, the ids of sections, and the text within scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: dict[str, list[dict[str, str | None]]] = {}
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts.append(data)

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for attributes in self.tags["section"]]

    @property
    def answers(self) -> Any:
        return json.loads(self.scripts[0])


@pytest.fixture(scope="module")
def svgs() -> dict[str, bytes]:
    return {name: render_svg(figure) for name, figure in draw_figures(evaluation()).items()}


def test_numbers_read_as_people_write_them() -> None:
    assert [percent(share) for share in (0.62745, 1.0, None, float("nan"))] == ["62.7", "100.0", "–", "–"]
    assert [number(value) for value in (1234.5, 45.67, 1.234, 0.1234, 7, -0.0001)] == [
        *("1,234", "45.7", "1.23", "0.123", "7", "0.000")
    ]
    assert [signed(value) for value in (12.0, -0.1564, 0.0, None)] == ["+12.0", "−0.156", "0.000", "–"]
    assert [p_value(p) for p in (0.0, 0.0009, 0.0123, None)] == ["< 0.001", "< 0.001", "0.012", "–"]
    assert (interval(0.561, 0.692), interval(None, 0.7)) == ("[56.1, 69.2]", "–")


def test_each_pair_stands_once_with_its_winner_first() -> None:
    rows = win_rates().filter(pl.col("genre").is_null(), lang="zh")
    pairs = list(each_pair_once(rows, ROSTER).select("arm", "opponent").iter_rows())
    assert len(pairs) == 10
    assert ("cw+10k", "general") in pairs
    assert ("cw+5k", "general") in pairs  # equals, in the arms' order
    assert strongest(rows, ROSTER) == "cw+10k"
    one_order = rows.filter(pl.col("arm") < pl.col("opponent"))
    assert len(each_pair_once(one_order, ROSTER)) == 10


def test_a_frame_that_is_missing_or_empty_takes_its_figures_along(svgs: dict[str, bytes]) -> None:
    stems = {name.rsplit("_", 1)[0] for name in svgs}
    assert stems == set().union(*FRAMES.values())
    assert {name.rsplit("_", 1)[1] for name in svgs} == {"zh", "en"}
    for frame, drawn in FRAMES.items():
        alone = Evaluation("s", ROSTER, {frame: evaluation().tables[frame]})
        assert {name.rsplit("_", 1)[0] for name in draw_figures(alone)} == drawn
    empty = {frame: evaluation().tables[frame].clear() for frame in FRAMES}
    assert draw_figures(Evaluation("s", ROSTER, empty)) == {}


def test_figures_show_the_rates_with_intervals_and_chinese_genres(svgs: dict[str, bytes]) -> None:
    matrix = svgs["win_rates_zh"].decode()
    assert ">62.7</text>" in matrix
    assert ">56–70</text>" in matrix
    assert ">武侠小说 (6)</text>" in svgs["genres_zh"].decode()
    assert ">rank 1 (1–2)</text>" in svgs["strengths_zh"].decode()


def test_figures_are_the_same_bytes_and_warn_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def files() -> dict[str, tuple[bytes, bytes]]:
        part = evaluation(win_rates=win_rates().filter(lang="zh"), behaviour=None, answers=None)
        return {name: (render_svg(f), render_png(f)) for name, f in draw_figures(part).items()}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert files() == files()
    assert [r for r in caplog.records if r.name.startswith("matplotlib")] == []  # of families that are not installed


def test_where_no_font_has_chinese_one_line_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coig.display.figures._chinese_font", list)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render_png(draw_figures(evaluation())["genres_zh"])
        draw_figures(evaluation(win_rates=win_rates().filter(lang="en")))  # nothing in Chinese to be told of
    assert len(caplog.records) == 1
    assert "boxes for Chinese characters" in caplog.text
    assert "fonts-noto-cjk" in caplog.text


def test_unknown_intervals_leave_their_marks_out() -> None:
    unknown = win_rates().with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("low", "high", "low_raters"))
    drawn = draw_figures(Evaluation("s", ROSTER, {"win_rates": unknown}))
    assert ">62.7</text>" in render_svg(drawn["win_rates_zh"]).decode()
    assert set(drawn) == {f"{name}_{lang}" for name in ("win_rates", "genres") for lang in ("zh", "en")}


def test_without_an_arm_of_general_data_nothing_is_held_against_it() -> None:
    arms = ("cw", "cw+1k")
    rates = win_rates().filter(pl.col("arm").is_in(arms) & pl.col("opponent").is_in(arms))
    assert set(draw_figures(Evaluation("s", roster_of(arms), {"win_rates": rates}))) == {"win_rates_zh", "win_rates_en"}


def test_the_page_holds_every_section_in_order_and_nothing_from_outside(svgs: dict[str, bytes]) -> None:
    page = render_page(evaluation(), svgs)
    assert Page(page).sections == list(SECTIONS)
    for name in SECTIONS:
        assert f'href="#{name}"' in page
    assert page.count("<svg") == len(svgs)
    outside = re.findall(r"""\bsrc=|<link|@import|url\((?!#)|https?://(?!www\.w3\.org/)""", page)
    assert outside == []
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert render_page(evaluation(), svgs) == page


def test_judgments_alone_and_answers_alone_are_enough() -> None:
    unanswered: dict[str, Any] = dict.fromkeys(
        ("automatic", "answers", "comparisons", "genres", "length_control", "behaviour")
    )
    unanswered |= dict.fromkeys(("behaviour_shares", "transitions"))
    judged = evaluation(manifests=(), **unanswered)
    assert Page(render_page(judged, {})).sections == [
        *("claims", "win_rates", "strengths", "agreement", "genres", "signatures")
    ]
    unjudged: dict[str, Any] = dict.fromkeys(
        ("win_rates", "strengths", "length_control", "agreement", "raters", "claims")
    )
    answered = evaluation(signatures=pl.DataFrame(), **unjudged)
    assert Page(render_page(answered, {})).sections == [
        *("automatic", "comparisons", "contamination", "behaviour", "genres", "arms", "reader")
    ]
    assert "62.7" not in render_summary(answered)
    assert "section" not in Page(render_page(Evaluation("s", roster_of(()), {}), {})).tags


def test_how_people_judged_is_a_section_that_the_contents_name() -> None:
    page = render_page(evaluation(methods="Two people ranked all answers."), {})
    contents, main = page.split("<main>")
    assert '<a href="#methods">' in contents
    assert "Two people ranked all answers." in main
    assert [one for one in Page(page).sections if one in ("methods", "arms")] == ["methods", "arms"]


def test_a_claim_says_its_status_in_words_and_labels_both_intervals() -> None:
    page = render_page(evaluation(), {})
    cards = re.findall(r'<article class="claim ([a-z-]+)">(.*?)</article>', page, re.DOTALL)
    assert [status for status, _ in cards] == 2 * ["supported", "not-supported", "inconclusive"]
    supported = cards[0][1]
    assert '<span aria-hidden="true">✓</span> supported' in supported
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd.*?>(.*?)</dd>", supported))
    assert facts == {
        "effect": "60.0 % of 204",
        "95 %, these raters, new prompts": "[56.0, 69.0]\u00a0%",
        "95 %, new raters too": "[53.0, 72.0]\u00a0%",
        "corrected p": "&lt; 0.001",
        "advantage excluded": "22.0 points or more",
    }
    assert "<summary>1 not measured</summary>" in page
    assert "<li>A claim without judgments: Nobody judged it.</li>" in page


def test_no_text_of_a_user_or_a_model_becomes_markup() -> None:
    answers = evaluation().tables["answers"]
    assert answers is not None
    fields = ("genre", "query", "reasoning", "answer")
    hostile = answers.with_columns(pl.lit(HOSTILE).alias(name) for name in fields)
    plain = Page(render_page(evaluation(), {}))
    genres = win_rates().with_columns(genre=pl.when(pl.col("genre").is_not_null()).then(pl.lit(HOSTILE)))
    page = Page(render_page(evaluation(study=HOSTILE, notes=(HOSTILE,), answers=hostile, win_rates=genres), {}))
    assert len(page.tags["script"]) == len(plain.tags["script"]) == 2
    assert "img" not in page.tags
    shown = page.answers[0]
    assert (shown["query"], shown["genre"], shown["answers"][0]["answer"]) == (HOSTILE, HOSTILE, HOSTILE)


def test_the_reader_holds_each_query_once_with_the_arms_in_order() -> None:
    queries = Page(render_page(evaluation(answers_per_arm=3), {})).answers
    assert [query["query_id"] for query in queries] == ["zh-0", "zh-1", "zh-2", "en-0", "en-1", "en-2"]
    assert all(tuple(answer["arm"] for answer in query["answers"]) == ARMS for query in queries)
    assert [answer["contaminated"] for answer in queries[2]["answers"]] == [True, False, False, False, False]


def test_the_summary_pastes_as_markdown() -> None:
    text = render_summary(evaluation())
    assert "## Chinese queries: claims (1 supported, 1 not supported, 1 inconclusive, 1 not measured)" in text
    assert "- ✓ **supported**: The paper's claim no. 0." in text
    assert "| cw+10k | 75.1 | 69.8 | 62.7 | – | 62.7 |" in text
    assert "| cw+10k | +0.51 | [+0.21, +0.81] | 1 | 1–2 | – |" in text
    assert text.endswith("- general has answered 350 of 353 queries.\n")


def test_latex_escapes_what_is_special_and_keeps_chinese() -> None:
    assert escape(r"a&b %$#_{}") == r"a\&b \%\$\#\_\{\}"
    assert escape("~^\\") == r"\textasciitilde{}\textasciicircum{}\textbackslash{}"
    assert escape("武侠 < −1 –") == "武侠 $<$ $-$1 --"
    assert escape("a-b--c,,") == "a-b-{}-c,{},"
    assert escape("'\"`") == r"\textquotesingle{}\textquotedbl{}\textasciigrave{}"


def test_a_latex_table_is_booktabs_with_numbers_right() -> None:
    shown = win_rate_matrix(win_rates().filter(pl.col("arm").is_in(["cw"]), lang="zh"), roster_of(("cw", "cw+1k")))
    assert render_latex(shown, "Win rates, 50 %.", "rates").splitlines() == [
        r"\begin{table}[t]",
        r"\centering",
        r"\caption{Win rates, 50 \%.}",
        r"\label{tab:rates}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"win \% of row over column & cw & cw+1k \\",
        r"\midrule",
        r"cw & -- & 43.3 \\",
        r"cw+1k & -- & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    stems = {f"{name}_{lang}" for name in ("win_rates", "strengths", "automatic") for lang in ("zh", "en")}
    assert set(render_latex_tables(evaluation())) == stems
    assert render_latex_tables(Evaluation("s", roster_of(()), {})) == {}


def in_browser(folder: Path, page: str, script: str) -> str:
    """The page as Chromium has it after a script has run in it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium or google-chrome, which is not installed")
    file = folder / "report.html"
    file.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command = [chromium, *flags, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000", "--dump-dom"]
    return subprocess.run(
        [*command, file.as_uri()], capture_output=True, check=True, timeout=PATIENCE, text=True
    ).stdout


def test_the_reader_filters_and_shows_answers_as_text(tmp_path: Path) -> None:
    answers = evaluation().tables["answers"]
    assert answers is not None
    found = pl.when(query_id="zh-3", arm="general").then(pl.lit(f"Snow {HOSTILE}")).otherwise(pl.lit("sun"))
    page = render_page(evaluation(answers=answers.with_columns(answer=found)), {})
    dom = in_browser(
        tmp_path,
        page,
        """
        const filters = document.querySelector(".filters").elements;
        const seen = () => filters.count.value;
        const enter = (name, value) => {
          filters[name].value = value;
          filters[name].dispatchEvent(new Event("input", { bubbles: true }));
        };
        const counts = [seen()];
        enter("lang", "zh"); counts.push(seen());
        enter("genre", "poetry"); counts.push(seen());
        enter("genre", ""); enter("text", "SNOW <\\/SCRIPT>"); counts.push(seen());
        document.querySelector("#queries details").open = true;
        document.title = counts.join(" | ");
        """,
    )
    assert "<title>12 of 12 queries | 6 of 12 queries | 2 of 12 queries | 1 of 12 queries</title>" in dom
    shown = dom[dom.index('<div id="queries">') : dom.index('<button type="button" id="more"')]
    assert "<mark>Snow &lt;/script&gt;</mark>&lt;script&gt;alert(1)" in shown
    assert shown.count("<section>") == 5
    assert "<img" not in shown


def test_a_click_on_a_heading_sorts_numbers_as_numbers(tmp_path: Path) -> None:
    dom = in_browser(
        tmp_path,
        render_page(evaluation(), {}),
        """
        const table = document.querySelector("#arms table");
        const column = (place) => [...table.tBodies[0].rows].map((row) => row.cells[place].textContent).join(" ");
        const press = (place) => table.tHead.rows[0].cells[place].querySelector("button").click();
        press(2); const up = column(2);
        press(2); const down = column(2);
        press(3); const ratios = column(3);
        document.title = [up, down, ratios].join(" | ");
        """,
    )
    assert "<title>0 2,000 10,000 20,000 20,000 | 20,000 20,000 10,000 2,000 0 | 1:1.2 1:6.0 1:12.0 – –</title>" in dom
    assert 'aria-sort="ascending"' in dom


def test_a_dollar_and_brackets_in_names_are_text() -> None:
    genre = pl.when(pl.col("genre").is_not_null()).then(pl.lit("$\\frac$ [/b]"))
    drawn = draw_figures(evaluation(win_rates=win_rates().with_columns(genre=genre)))["genres_en"]
    assert ">$\\frac$ [/b] (" in render_svg(drawn).decode()
    assert render_png(drawn)


def test_a_table_too_wide_for_the_terminal_is_printed_in_parts_that_keep_the_rows_names() -> None:
    names = [f"cw+10k-seed{n:02}" for n in range(15)]
    rows = [{"genre": None, "arm": a, "opponent": b, "rate": 0.5} for a in names for b in names if a != b]
    matrix = win_rate_matrix(pl.DataFrame(rows, schema_overrides={"genre": pl.String}), roster_of(names))
    assert matrix.headings[1:] == tuple(str(n) for n in range(1, 16))
    for width, parts in ((80, 2), (120, 1)):
        console = Console(width=width, file=io.StringIO(), markup=False)
        print_table(console, matrix)
        printed = console.file.getvalue()  # type: ignore[attr-defined]
        assert [printed.count(f"{n} {name} ") for n, name in enumerate(names, 1)] == [parts] * 15
        assert "…" not in printed


def test_a_terminal_without_chinese_shows_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr("sys.stdout", terminal)
    print_table(make_console(), Table(("arm",), (True,), (("武侠 [/b]",),)))
    terminal.flush()
    assert rb"\u6b66\u4fa0 [/b]" in written.getvalue()


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("", 200), ("wide", 200)])
def test_in_a_pipe_the_width_is_that_of_columns(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert make_console(200).width == width


def test_columns_that_nothing_fills_are_left_out() -> None:
    cells = Table(("arm", "setting", "n"), (True, True, False), (("cw", "–", "3"), ("general", "–", "–")))
    assert drop_empty_columns(cells) == Table(("arm", "n"), (True, False), (("cw", "3"), ("general", "–")))
