"""The claim check on the paper's own counts, and the planner."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from coig.errors import ConfigError
from coig.evaluation.findings.claims import claim_table, pool_rates, signature_table
from coig.evaluation.power import main, parse_design
from coig.evaluation.preferences.judgments import RATING, collect_judgments, tabulate_judgments
from coig.evaluation.preferences.win_rates import compute_win_rates
from coig.statistics.power import Design
from tests.evaluation.paper import ARMS, authors_export, verdicts
from tests.studies import roster_of

ROSTER = roster_of(ARMS)
MARGIN = 0.1


@pytest.fixture(scope="module", params=["pairs", "the authors' rankings"])
def paper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder = tmp_path_factory.mktemp("paper")
    for lang in ("zh", "en"):
        rows = verdicts(lang) if request.param == "pairs" else authors_export(lang)
        (folder / f"{lang}.json").write_text(json.dumps(rows), encoding="utf-8")
    judgments = collect_judgments(sorted(folder.iterdir()), "paper", None, {})
    return compute_win_rates(tabulate_judgments(judgments, ARMS, {}).verdicts, ARMS)


def test_the_papers_claims(paper: pl.DataFrame) -> None:
    checked = claim_table(ROSTER, paper, None, None, MARGIN)
    status = {(row["lang"], row["claim"]): row["status"] for row in checked.iter_rows(named=True)}
    assert status == {
        ("zh", "creative data with 10k general examples beats general data alone"): "supported",
        ("zh", "creative data alone loses to general data alone"): "supported",
        ("zh", "general data helps: CW+10k beats CW"): "supported",
        ("zh", "general data helps: CW+10k beats CW+1k"): "supported",
        ("zh", "general data helps: CW+10k beats CW+5k"): "inconclusive",  # 58.33 %: p = 0.02, corrected 0.08
        ("zh", "the arm of the highest TTR is not the best"): "not measured",
        ("en", "the gain does not carry over: CW+10k does not beat general data alone"): "supported",
        ("en", "creative data alone loses to general data alone"): "supported",
        ("en", "creative data with 1k general examples loses to general data alone"): "supported",
        ("en", "creative data with 5k general examples loses to general data alone"): "supported",
        ("en", "general data helps: CW+10k beats CW"): "supported",
        ("en", "the arm of the highest TTR is not the best"): "not measured",
        ("en", "creative data alone answers English queries in Chinese"): "not measured",
    }
    first = checked.row(0, named=True)
    assert first["effect"] == "62.75 % of 204 verdicts for cw+10k"
    assert first["p_holm"] < 0.01
    assert first["low"] > 0.5
    assert first["low_raters"] is None
    assert "nothing is known of other raters" in first["why"]


def automatic(ttr: dict[str, float], **columns: Any) -> pl.DataFrame:
    rows = [
        {"lang": "zh", "arm": arm, "ttr_mean": value, "mattr_mean": 1 - value, "foreign": 0, "queries": 204} | columns
        for arm, value in ttr.items()
    ]
    return pl.DataFrame(rows)


def test_the_ttr_paradox(paper: pl.DataFrame) -> None:
    ttr = {"cw": 0.522, "cw+1k": 0.578, "cw+5k": 0.576, "cw+10k": 0.593, "general": 0.678}
    checked = claim_table(ROSTER, paper, automatic(ttr), None, MARGIN)
    [row] = checked.filter(pl.col("claim").str.contains("TTR"), pl.col("lang") == "zh").to_dicts()
    assert row["status"] == "supported"
    assert row["why"].startswith("highest TTR: general, highest MATTR: cw; cw+10k wins most")
    best = claim_table(ROSTER, paper, automatic(ttr | {"cw+10k": 0.9}), None, MARGIN).filter(
        pl.col("claim").str.contains("TTR")
    )
    assert best["status"][0] == "not supported"


def test_equal_win_rates_give_one_answer_each_time(paper: pl.DataFrame) -> None:
    tied = paper.with_columns(wins=102, ties=0, verdicts=204)
    for diverse in ARMS:
        measured = automatic(dict.fromkeys(ARMS, 0.5) | {diverse: 0.6})
        for _ in range(5):
            checked = claim_table(ROSTER, tied, measured, None, MARGIN).filter(pl.col("claim").str.contains("TTR"))
            assert checked["why"][0] == f"{diverse} has the highest TTR and no arm wins more often"


def test_failure_signatures(paper: pl.DataFrame) -> None:
    ttr = {"cw": 0.6, "cw+1k": 0.578, "cw+5k": 0.576, "cw+10k": 0.593, "general": 0.51}
    rates = pool_rates(paper, "zh")
    assert rates["cw"] == pytest.approx((80 + 66 + 53 + 73) / (4 * 204))
    ratings = [
        ("q", "zh", "r", arm, dimension, value)
        for arm, dimension, value in [
            ("cw", "content quality", 1.0),
            ("cw", "creative merit", 2.0),
            ("general", "content quality", 3.0),
            ("general", "creative merit", 1.0),
        ]
    ]
    rated = pl.DataFrame(ratings, schema=RATING, orient="row")
    measured = automatic(ttr).with_columns(foreign=pl.when(pl.col("arm") == "cw").then(25).otherwise(2))
    table = signature_table(ROSTER, paper, measured, rated).filter(pl.col("lang") == "zh")
    present = {row["signature"]: row["arm"] for row in table.filter(pl.col("present")).iter_rows(named=True)}
    assert present == {
        "diversity hides missing logic": "cw",
        "fluent but incoherent": "cw",
        "well-structured but stilted": "general",
        "reasoning of the wrong language": "cw",
    }
    wide = signature_table(ROSTER, paper, measured, rated, scale=(0, 10)).filter(pl.col("lang") == "zh")
    assert wide.filter(signature="fluent but incoherent", arm="cw")["present"].to_list() == [False]  # 1 of 10 points
    unknown = signature_table(ROSTER, paper, None, None)
    assert unknown["present"].is_null().all()


def test_the_planner() -> None:
    design = Design(effect=0.598, raters=1)
    assert design.prompts(1) == 205  # the paper's 204 can find 9.8 points
    assert Design(effect=0.6, raters=4, agreement=1.0).prompts(4) == Design(effect=0.6, raters=1).prompts(1)
    assert design.prompts_for_new_raters(1) is None
    assert Design(effect=0.6, raters=8, taste=0.2).prompts_for_new_raters(8) is None
    many = Design(effect=0.6, raters=200, taste=0.0)
    assert many.prompts_for_new_raters(200) == pytest.approx(many.prompts(200), rel=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["effect=0.6"], "raters: not set"),
        (["effect=0.6", "raters=4", "tast=1"], "tast: unknown; did you mean 'taste'"),
        (["effect=60", "raters=4"], "effect=60: must be between 0.5 and 1"),
        (["effect=0.6", "raters=four"], "raters=four: not a number"),
        (["effect=0.6", f"raters=1{'0' * 400}"], "raters=10+: must be 1 to 1,000,000"),
        (["effect=0.6", "raters=4", "taste=1e200"], r"taste=1e200: must be 0 to 0\.5"),
        (["effect=0.6", "raters=4", "spread=inf"], r"spread=inf: must be 0 to 0\.5"),
        (["effect=0.6", "raters=4", "=3"], "=3: unknown; known here"),
    ],
)
def test_a_plan_that_is_none(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_design(arguments)


def test_the_plan_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["effect=0.6", "raters=4"])
    printed = capsys.readouterr().out
    assert "more raters are needed" in printed
    assert "204 prompts and 4 raters can detect a difference of 6.2 points" in printed
