"""A report begins with plain sentences on what was found, and explains its symbols where they first stand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from coig.evaluation.findings.trade_offs import TRADE_OFFS
from coig.evaluation.report.opening import opening_lines
from coig.evaluation.report.page import render_page, render_summary
from tests.evaluation.report.test_doses import folder as folder
from tests.evaluation.synthetic_frames import evaluation, win_rates

SYMBOLS = ("R₅₀", "R*", "R_min")
CHANGES = pl.DataFrame(
    [
        {"lang": "en", "setting": "", "measure": measure, "change": change, "finding": finding}
        | {"first_dose": 0.0, "last_dose": 12.0}
        for measure, change, finding in (
            ("contaminated", -0.7, "buys"),
            ("finished", 0.7, "buys"),
            ("copied", 0.02, "costs"),
            ("sameness", 0.01, "not shown"),
        )
    ],
    schema=TRADE_OFFS,
)


def test_where_people_judged_the_strongest_arm_is_named_with_its_interval() -> None:
    chinese, english = opening_lines(evaluation())
    assert chinese == (
        "Chinese queries: people preferred cw+10k, the strongest of 4 arms, to general in 62.7 % of 204 verdicts on "
        "204 queries (95 % interval, for other raters too: 53.6 to 71.9 %), more than chance explains."
    )
    assert english.endswith("(95 % interval, for other raters too: 39.6 to 53.4 %), which may be chance.")


def test_a_rate_without_an_interval_is_not_told_from_chance() -> None:
    few = win_rates().with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("low", "high", "low_raters"))
    assert opening_lines(evaluation(win_rates=few))[0].endswith("204 queries; that is too few to tell from chance.")


def test_where_nobody_judged_the_changes_that_were_counted_are_named() -> None:
    assert opening_lines(evaluation(win_rates=None, raters=None, trade_offs=CHANGES)) == [
        "English queries: with 12 general examples for each creative one instead of none: fewer answers in the other "
        "language, more answers that end; but more copied from training texts (counted on 6 queries, beyond chance at "
        "95 %).",
        "Nobody has judged the answers yet.",
    ]


def test_each_setting_has_a_sentence_and_many_are_told_by_their_number() -> None:
    settings = [CHANGES.with_columns(setting=pl.lit(f"model.learning_rate 0.00{rate}")) for rate in range(1, 6)]
    lines = opening_lines(evaluation(win_rates=None, raters=None, trade_offs=pl.concat(settings)))
    for rate, line in enumerate(lines[:3], start=1):
        assert line.startswith("English queries: with 12 general examples for each creative one instead of none (")
        assert f"(model.learning_rate 0.00{rate}): fewer answers in the other language" in line
    assert lines[3:] == [
        "English queries: what changed at 2 more settings is told below.",
        "Nobody has judged the answers yet.",
    ]


def test_where_no_pair_had_general_data_alone_this_is_said() -> None:
    without = win_rates().filter(pl.col("arm") != "general", pl.col("opponent") != "general")
    assert opening_lines(evaluation(win_rates=without)) == ["No arm was compared with general data alone."]
    [_, why] = opening_lines(evaluation(win_rates=without, trade_offs=CHANGES))
    assert why == "No arm was compared with general data alone."


def test_where_nothing_is_found_this_is_said() -> None:
    nothing = evaluation(win_rates=None, raters=None)
    assert opening_lines(nothing) == ["Nobody has judged the answers yet."]
    assert render_summary(nothing).splitlines()[2] == "Nobody has judged the answers yet."
    page = render_page(nothing, {})
    assert page.index("Nobody has judged") < page.index("5 arms: cw")


@pytest.mark.parametrize("name", ["report.html", "summary.md"])
def test_symbols_are_explained_where_they_first_stand(folder: Path, name: str) -> None:
    text = (folder / "multirun" / "paper" / "evaluation" / name).read_text(encoding="utf-8")
    for symbol in SYMBOLS:
        assert text[text.index(symbol) :].startswith(f"{symbol}:")
    assert text.index("the number of general examples per creative one.") < text.index("R₅₀")
