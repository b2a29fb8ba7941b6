"""How results depend on the ratio: the paper's rankings, arms' manifests, and arms of several sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from coig.evaluation.findings.amounts import amount_rows
from coig.evaluation.findings.cells import group_by_seed, group_strangers_by_seed
from coig.evaluation.findings.doses import dose_tables
from coig.evaluation.findings.series import find_series
from coig.evaluation.findings.thresholds import doses_in_words, threshold_claims
from coig.evaluation.preferences.judgments import RATING, VERDICT, Judgments, collect_judgments, tabulate_judgments
from coig.study.arm import Arm
from tests.evaluation.paper import ARMS, authors_export
from tests.studies import make_arm, make_group, roster_of

ROSTER = roster_of(ARMS)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """The tables of the paper's rankings, read from the authors' files without any arm."""
    folder = tmp_path_factory.mktemp("paper")
    for lang in ("zh", "en"):
        (folder / f"{lang}.json").write_text(json.dumps(authors_export(lang)), encoding="utf-8")
    judged = collect_judgments(sorted(folder.iterdir()), "paper", None, {})
    return dose_tables(group_strangers_by_seed(ROSTER), [], None, tabulate_judgments(judged, ARMS, {}), 0.1)


def test_judgments_alone_give_the_paper_its_threshold(paper: dict[str, pl.DataFrame]) -> None:
    """The place is that of the win rates; its interval also knows which prompts the arms share."""
    zh, en = paper["thresholds"].to_dicts()
    assert (zh["lang"], zh["measure"], zh["reference"], zh["arms"]) == ("zh", "preference", "general", 4)
    assert zh["r50"] == pytest.approx(6, abs=0.01)
    assert (zh["bracket_low"], zh["bracket_high"]) == pytest.approx((1.2, 12), abs=0.02)
    assert 1.2 < zh["r50_low"] < 6 < zh["r50_high"] < 12
    assert zh["r_min"] == pytest.approx(zh["r50_high"])
    assert zh["r50_low_raters"] is None  # one rater
    assert (en["r50"], en["r50_high"], en["bracket_high"]) == (np.inf,) * 3
    assert 6 < en["r50_low"] < 12.02
    fits = paper["dose_fits"].filter(lang="zh")
    assert set(fits["curve"]) == {
        *("flat", "log-linear", "square root", "linear", "Emax", "one step", "monotone", "average")
    }
    assert fits.filter(pl.col("curve") != "average")["weight"].sum() == pytest.approx(1)
    assert 3 < fits.filter(curve="log-linear")["r50"][0] < 6
    arms = paper["doses"].filter(lang="zh").drop_nulls("dose")
    assert arms["value"].to_list() == pytest.approx([count / 204 for count in (73, 86, 102, 128)])
    assert (arms["low_raters"].null_count(), arms["dose"].to_list()[-1]) == (4, pytest.approx(12.01, abs=0.01))


def test_words_of_the_papers_threshold(paper: dict[str, pl.DataFrame]) -> None:
    zh, en = doses_in_words(paper)
    assert zh.main.startswith(
        "Win rate over general data alone: the arms are preferred as often as general at R₅₀ = 6.0 (95 %: "
    )
    assert "bracket of tested arms 1.2–12)" in zh.main
    assert "as general at R₅₀ > 12 (95 %: 10." in en.main
    assert "bracket of tested arms 6.0 to > 12)" in en.main
    assert "shown for no tested R" in en.main


def test_the_claim_of_a_threshold(paper: dict[str, pl.DataFrame]) -> None:
    claims = {row["lang"]: row for row in threshold_claims(paper["thresholds"], paper["doses"], "cw+10k")}
    assert claims["en"]["status"] == "inconclusive"
    assert claims["zh"]["status"] == "not supported"  # a slope, and 12 lies outside the interval
    assert claims["zh"]["effect"].startswith("R₅₀ 6.0 (")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "not supported"),  # a slope whose interval excludes 12
        ({"shape": "cannot be told"}, "inconclusive"),
        ({"bracket_high": 6.0}, "not supported"),
        ({"bracket_low": 12.0, "bracket_high": np.inf}, "not supported"),
        ({"shape": "step", "bracket_low": 6.0}, "supported"),
        (
            {"r50_low_raters": 5.0, "r50_high_raters": 20.0, "bracket_low_raters": 0.0, "bracket_high_raters": np.inf},
            "inconclusive",
        ),
    ],
)
def test_status_of_the_claim(changes: dict[str, Any], status: str) -> None:
    row = {
        **{"lang": "zh", "measure": "preference", "setting": "", "largest_dose": 12.0, "shape": "slope"},
        **{"r50": 6.0, "r50_low": 2.3, "r50_high": 7.9, "bracket_low": 1.2, "bracket_high": 12.0},
        **dict.fromkeys(("r50_low_raters", "r50_high_raters", "bracket_low_raters", "bracket_high_raters")),
    }
    doses = pl.DataFrame(
        {"lang": "zh", "measure": "preference", "setting": "", "arm": ["cw+5k", "cw+10k"], "dose": [6.0, 12.0]}
    )
    claims = threshold_claims(pl.DataFrame([row | changes]), doses, "cw+10k")
    assert [claim["status"] for claim in claims] == [status, "not measured"]


@pytest.mark.parametrize(("r50_low", "status"), [(0.0, "inconclusive"), (0.4, "supported")])
def test_the_arm_without_general_data_must_lose_to_be_below_the_threshold(r50_low: float, status: str) -> None:
    """Without further arms below, the bracket begins at 0 whether that arm loses or not."""
    row = {
        **{"lang": "zh", "measure": "preference", "setting": "", "largest_dose": 12.0, "shape": "step"},
        **{"r50": 1.0, "r50_low": r50_low, "r50_high": 7.9, "bracket_low": 0.0, "bracket_high": 12.0},
        **dict.fromkeys(("r50_low_raters", "r50_high_raters", "bracket_low_raters", "bracket_high_raters")),
    }
    doses = pl.DataFrame(
        {"lang": "zh", "measure": "preference", "setting": "", "arm": ["cw", "cw+10k"], "dose": [0.0, 12.0]}
    )
    assert threshold_claims(pl.DataFrame([row]), doses, "cw+10k")[0]["status"] == status


def study(
    folder: Path, sizes: tuple[int, ...] = (50,), general: bool = True, supervision: str = "process"
) -> list[Arm]:
    """Return arms of 0, 1, 6 and 12 general examples per creative one at each size, and perhaps general data alone."""
    arms = []
    for size in sizes:
        for dose in (0, 1, 6, 12):
            train = [make_group(examples=size), make_group("general", examples=dose * size)]
            ratio = f"1:{dose}" if dose else "0"
            sized = (f"data.creative.size={size}", "vary=[data.creative.size]") if len(sizes) > 1 else ()
            overrides = (f"supervision={supervision}", *sized)
            arm = make_arm(folder / name_of(dose, size, supervision), *overrides, ratio=ratio, data={"train": train})
            arms.append(arm)
    if general:
        train = [make_group("general", examples=600)]
        arms.append(make_arm(folder / "general", ratio="general", data={"train": train}))
    return arms


def name_of(dose: int, size: int, supervision: str) -> str:
    return f"r{dose}-{size}" + ("" if supervision == "process" else f"-{supervision}")


def answers_of(shares: dict[str, float], queries: int = 100) -> pl.DataFrame:
    """Return answers of which these shares are in the other language, and whose length grows with the share."""
    rows = [
        {
            **{"arm": arm, "lang": "zh", "query_id": f"q{query}", "queries": "sample", "finished": True},
            **{"contaminated": query < share * queries, "characters": int(100 + 50 * share + query % 7)},
            **dict.fromkeys(("copied", "sameness")),
        }
        for arm, share in shares.items()
        for query in range(queries)
    ]
    missing = ("tokens", "ttr", "ttr_100", "mattr", "mtld", "hdd", "distinct_2", "distinct_3", "self_repetition")
    empty = [pl.lit(None, pl.Float64).alias(name) for name in (*missing, "contaminated_any")]
    return pl.DataFrame(rows).with_columns(empty)


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> list[Arm]:
    return study(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def arms_of_sizes(tmp_path_factory: pytest.TempPathFactory) -> list[Arm]:
    return study(tmp_path_factory.mktemp("several"), sizes=(25, 100, 400), general=False)


def test_contamination_needs_no_judgments(arms: list[Arm]) -> None:
    """It falls from 40 to 4 per cent, which is what general data alone has; the doses are the manifests'."""
    shares = {"r0-50": 0.4, "r1-50": 0.2, "r6-50": 0.08, "r12-50": 0.03, "general": 0.04}
    tables = dose_tables(group_by_seed(arms), arms, answers_of(shares), None, 0.1)
    found = {row["measure"]: row for row in tables["thresholds"].to_dicts()}
    contaminated = found["contaminated"]
    assert 6 < contaminated["r50"] < 12
    assert contaminated["r50_high"] == np.inf  # 3 and 4 per cent are not told apart
    assert contaminated["r50_low"] >= 1
    assert contaminated["trend_p"] < 0.001
    doses = tables["doses"].filter(measure="contaminated")
    assert doses.select("arm", "dose").rows() == [
        *(("r0-50", 0.0), ("r1-50", 1.0), ("r6-50", 6.0), ("r12-50", 12.0), ("general", None))
    ]
    assert found["finished"]["shape"] == "no dose effect shown"  # every answer ended
    curve = tables["dose_curves"].filter(measure="contaminated")
    assert (curve["low"] <= curve["value"]).all()
    assert (curve["low"] >= 0).all()
    assert len(doses_in_words(tables)[0].others) == len(found) - 1


def test_arms_without_general_data_alone_have_a_curve_and_no_crossing(arms: list[Arm]) -> None:
    arms = arms[:-1]
    shares = {"r0-50": 0.4, "r1-50": 0.2, "r6-50": 0.08, "r12-50": 0.03}
    tables = dose_tables(group_by_seed(arms), arms, answers_of(shares), None, 0.1)
    row = tables["thresholds"].filter(measure="contaminated").row(0, named=True)
    assert (row["r50"], row["bracket_low"]) == (None, None)
    assert row["deviance_flat"] > 30


def test_each_size_is_a_series_of_its_own(arms_of_sizes: list[Arm]) -> None:
    series = find_series(group_by_seed(arms_of_sizes), arms_of_sizes)
    assert [(one.setting, list(one.doses.values())) for one in series] == [
        (f"data.creative.size {size}", [0, 1, 6, 12]) for size in (25, 100, 400)
    ]


def sized(**by: str) -> Judgments:
    """Return verdicts over the arm without general data whose logits grow with the amount or with the ratio.

    `by` says which of the two for each supervision.
    """
    rows = []
    for supervision, predictor in by.items():
        for size in (25, 100, 400):
            for dose in (1, 6, 12):
                x = np.log2(1 + dose) if predictor == "ratio" else np.log2(1 + dose * size / 175)
                wins = round(200 / (1 + np.exp(-0.4 * x)))
                order = np.random.default_rng(size * dose).permutation(200)
                pair = name_of(dose, size, supervision), name_of(0, size, supervision)
                rows += [(f"q{n}", "zh", None, *pair, "ann", float(order[n] < wins)) for n in range(200)]
    return Judgments(pl.DataFrame(rows, schema=VERDICT, orient="row"), pl.DataFrame(), pl.DataFrame(schema=RATING))


@pytest.mark.parametrize(("true", "other"), [("amount", "ratio"), ("ratio", "amount")])
def test_amount_or_ratio(arms_of_sizes: list[Arm], true: str, other: str) -> None:
    cells = group_by_seed(arms_of_sizes)
    rows = {row["model"]: row for row in amount_rows(cells, arms_of_sizes, None, sized(process=true), 0.1)}
    assert rows[true]["finding"] == "not rejected"
    assert rows[other]["finding"] == rows["no effect"]["finding"] == "rejected"
    assert rows["amount + ratio"]["p"] is None


def test_amount_or_ratio_is_told_for_each_setting(tmp_path: Path) -> None:
    """With other supervision, each arm is compared with the arm of that supervision and no general data."""
    sizes = (25, 100, 400)
    arms = [arm for one in ("process", "outcome") for arm in study(tmp_path, sizes, general=False, supervision=one)]
    judgments = sized(process="amount", outcome="ratio")
    table = dose_tables(group_by_seed(arms), arms, None, judgments, 0.1)["amount_or_ratio"]
    found = {(row["setting"], row["model"]): row for row in table.iter_rows(named=True)}
    assert len(found) == len(table) == 8
    assert {row["arms"] for row in found.values()} == {9}
    assert found["supervision process", "amount"]["finding"] == "not rejected"
    assert found["supervision process", "ratio"]["finding"] == "rejected"
    assert found["supervision outcome", "amount"]["finding"] == "rejected"
    assert found["supervision outcome", "ratio"]["finding"] == "not rejected"
    [summary] = doses_in_words({**dose_tables([], [], None, None, 0.1), "amount_or_ratio": table})
    assert summary.main.startswith("Amount or ratio, preference (supervision process): amount alone not rejected")
    assert summary.others[0].startswith("Amount or ratio, preference (supervision outcome): amount alone rejected")
