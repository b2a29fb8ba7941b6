"""Win rates and strengths beside the paper's tables, choix, and cases whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import choix
import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from coig.evaluation.preferences.judgments import collect_judgments, tabulate_judgments
from coig.evaluation.preferences.strengths import compute_strengths, control_length
from coig.evaluation.preferences.win_rates import compute_win_rates
from coig.statistics.bradley_terry import LOSS, TIE, WIN, fit_bradley_terry
from tests.evaluation.paper import ARMS, QUERIES, RATES, WINS, authors_export, verdicts


def compared(tmp_path: Path, rows: list[dict[str, Any]], name: str = "verdicts.jsonl") -> pl.DataFrame:
    file = tmp_path / name
    text = json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return tabulate_judgments(collect_judgments([file], "s", None, {}), (*ARMS, "x", "y"), {}).verdicts


def verdict(query: int, winner: str, rater: str = "r1", a: str = "cw", b: str = "general") -> dict[str, Any]:
    return {"query_id": str(query), "lang": "zh", "arm_a": a, "arm_b": b, "winner": winner, "rater": rater}


def cell(table: pl.DataFrame, lang: str, arm: str, opponent: str) -> dict[str, Any]:
    rows = table.filter(
        (pl.col("lang") == lang) & pl.col("genre").is_null() & (pl.col("arm") == arm) & (pl.col("opponent") == opponent)
    )
    return rows.row(0, named=True)


@pytest.mark.parametrize("lang", QUERIES)
@pytest.mark.parametrize("shape", ["pairs", "the authors' rankings"])
def test_the_papers_tables(tmp_path: Path, lang: str, shape: str) -> None:
    rows, name = (verdicts(lang), "v.jsonl") if shape == "pairs" else (authors_export(lang), "export.json")
    table = compute_win_rates(compared(tmp_path, rows, name), ARMS)
    for (arm, opponent), rate in zip(WINS[lang], RATES[lang], strict=True):
        row, turned = cell(table, lang, arm, opponent), cell(table, lang, opponent, arm)
        assert round(100 * row["rate"], 2) == rate
        assert round(100 * turned["rate"], 2) == round(100 - rate, 2)
        assert (row["wins"], row["ties"], row["verdicts"]) == (WINS[lang][arm, opponent], 0, QUERIES[lang])
        assert (turned["wins"], turned["losses"]) == (row["losses"], row["wins"])
        assert (turned["low"], turned["p_holm"]) == (pytest.approx(1 - row["high"]), row["p_holm"])
        # one verdict a prompt without ties: the test is the sign test, and the planner's formula holds
        assert row["p"] == pytest.approx(binomtest(row["wins"], row["verdicts"]).pvalue)
        assert row["mde"] == pytest.approx({"zh": 0.098, "en": 0.0746}[lang], abs=1e-4)
        assert row["low_raters"] is None
    best = cell(table, lang, "cw+10k", "general")
    assert (best["p"] < 0.001) == (lang == "zh")
    assert (best["p_holm"] < 0.05) == (lang == "zh")


def test_strengths_agree_with_choix(tmp_path: Path) -> None:
    comparisons = compared(tmp_path, verdicts("en"))
    table = compute_strengths(comparisons, ARMS)
    games = [(ARMS.index(a), ARMS.index(b)) for (a, b), wins in WINS["en"].items() for _ in range(wins)]
    games += [(ARMS.index(b), ARMS.index(a)) for (a, b), wins in WINS["en"].items() for _ in range(353 - wins)]
    expected = choix.opt_pairwise(len(ARMS), games)
    found = dict(table.select("arm", "strength").iter_rows())
    assert [found[arm] for arm in ARMS] == pytest.approx(list(expected - expected.mean()), abs=1e-3)
    assert dict(table.select("arm", "rank").iter_rows())["cw"] == 5


def test_arms_that_cannot_be_told_apart(tmp_path: Path) -> None:
    table = compute_strengths(compared(tmp_path, authors_export("en"), "export.json"), ARMS)
    alike = dict(table.select("arm", "not_separable_from").iter_rows())
    assert alike["cw"] == ""
    assert "general" in alike["cw+10k"]
    assert "cw+10k" in alike["general"]
    ranks = {row["arm"]: (row["rank_low"], row["rank_high"]) for row in table.iter_rows(named=True)}
    assert ranks["cw"] == (5, 5)
    assert ranks["general"][0] == 1


def test_ties_are_davidsons() -> None:
    """Counts that the model has exactly come back as its parameters."""
    theta, nu = np.array([0.6, -0.1, -0.5]), 0.7
    features = np.array([[1.0, -1, 0], [1, 0, -1], [0, 1, -1]])
    delta = features @ theta
    odds = np.stack([np.exp(delta / 2), np.full(3, nu), np.exp(-delta / 2)], axis=-1)
    counts = np.empty((1, 3, 3))
    counts[..., [WIN, TIE, LOSS]] = 1000 * odds / odds.sum(axis=-1, keepdims=True)
    [found] = fit_bradley_terry(features, counts)
    assert found[:3] == pytest.approx(theta, abs=1e-5)
    assert found[3] == pytest.approx(np.log(nu), abs=1e-5)


def test_length_is_told_apart_from_strength() -> None:
    """Equals whose verdicts follow length alone are equals at equal length."""
    draw = np.random.default_rng(0)
    rows, lengths = [], []
    for query in range(1500):
        long, short = draw.lognormal(6.5, 0.4), draw.lognormal(6.0, 0.4)
        lengths += [("cw", str(query), long), ("general", str(query), short)]
        wins = draw.random() < 1 / (1 + np.exp(-0.8 * np.log(long / short)))
        rows.append((str(query), "zh", None, "cw", "general", "r", float(wins)))
    comparisons = pl.DataFrame(
        rows, schema=["query_id", "lang", "genre", "arm", "opponent", "rater", "score"], orient="row"
    )
    table = control_length(comparisons, pl.DataFrame(lengths, schema=["arm", "query_id", "tokens"], orient="row"), ARMS)
    row = table.filter(pl.col("arm") == "cw").row(0, named=True)
    assert row["rate"] > 0.56
    assert row["equal_length_rate"] == pytest.approx(0.5, abs=0.03)
    assert row["gamma_low"] < 0.8 < row["gamma_high"]
    assert row["gamma_low"] > 0


def test_several_raters(tmp_path: Path) -> None:
    rows = [
        verdict(query, "a" if (query + rater) % 4 else "b", f"r{rater}") for query in range(20) for rater in range(3)
    ]
    row = cell(compute_win_rates(compared(tmp_path, rows), ARMS), "zh", "cw", "general")
    assert (row["verdicts"], row["prompts"], row["rate"]) == (60, 20, 0.75)
    assert row["low_raters"] < row["low"] < 0.75 < row["high"] < row["high_raters"]
    assert (row["without_rater_low"], row["without_rater_high"]) == (0.75, 0.75)


@pytest.mark.parametrize(("winner", "rate"), [("a", 1.0), ("b", 0.0), ("tie", 0.5)])
def test_verdicts_that_are_all_alike_still_have_an_interval(tmp_path: Path, winner: str, rate: float) -> None:
    row = cell(
        compute_win_rates(compared(tmp_path, [verdict(query, winner) for query in range(20)]), ARMS),
        "zh",
        "cw",
        "general",
    )
    assert row["rate"] == rate
    assert row["high"] - row["low"] > 0.1
    assert row["p"] == (1.0 if winner == "tie" else pytest.approx(2**-19))


def test_too_few_prompts_have_no_interval(tmp_path: Path) -> None:
    row = cell(
        compute_win_rates(compared(tmp_path, [verdict(query, "a") for query in range(5)]), ARMS), "zh", "cw", "general"
    )
    assert (row["rate"], row["low"], row["mde"]) == (1.0, None, None)


def test_genres_stand_beside_the_whole(tmp_path: Path) -> None:
    rows = [verdict(query, "a") | {"genre": "poetry" if query < 8 else "essay"} for query in range(20)]
    table = compute_win_rates(compared(tmp_path, rows), ARMS).filter(pl.col("arm") == "cw")
    assert dict(table.select("genre", "prompts").iter_rows()) == {None: 20, "poetry": 8, "essay": 12}


@pytest.mark.parametrize(
    "rows",
    [
        [verdict(query, "a") for query in range(20)],
        [verdict(query, "ab"[query % 2]) for query in range(5)],
        [verdict(query, "ab"[query % 2], a=a, b=b) for query in range(20) for a, b in (("cw", "general"), ("x", "y"))],
    ],
    ids=["one always wins", "too few prompts", "arms that never met"],
)
def test_strengths_that_there_are_not(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    table = compute_strengths(compared(tmp_path, rows), (*ARMS, "x", "y"))
    assert table["strength"].is_null().all()
    assert table["rank"].is_null().all()


def test_equals_share_a_rank(tmp_path: Path) -> None:
    table = compute_strengths(compared(tmp_path, [verdict(query, "tie") for query in range(20)]), ARMS)
    assert table.select("strength", "rank", "not_separable_from").rows() == [
        (pytest.approx(0), 1, "general"),
        (pytest.approx(0), 1, "cw"),
    ]


def test_lengths_that_are_the_arms_own_tell_nothing(tmp_path: Path) -> None:
    comparisons = compared(tmp_path, [verdict(query, "ab"[query % 2]) for query in range(20)])
    lengths = [(arm, str(query), size) for arm, size in (("cw", 50), ("general", 90)) for query in range(20)]
    table = control_length(comparisons, pl.DataFrame(lengths, schema=["arm", "query_id", "tokens"], orient="row"), ARMS)
    assert table.select("verdicts", "rate", "equal_length_rate", "gamma").rows() == [(20, 0.5, None, None)] * 2
