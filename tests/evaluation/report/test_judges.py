"""Judges in a report: apart from people, calibrated by them, and never behind a claim."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coig.config import EvaluateConfig
from coig.config.command_line import config_of
from coig.evaluation.run import evaluate
from coig.records.record import append_records
from tests.evaluation.judge_records import call, make_calls, write_study


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    found = tmp_path / "multirun" / "s"
    found.mkdir(parents=True)
    return found


def configured(*overrides: str) -> EvaluateConfig:
    return config_of("evaluate", EvaluateConfig, ["study=s", *overrides])


def table(folder: Path, name: str, **chosen: Any) -> pl.DataFrame:
    return pl.read_parquet(folder / "evaluation" / f"{name}.parquet").filter(**chosen)


def test_peoples_tables_are_the_same_with_and_without_judges(folder: Path) -> None:
    people = write_study(folder, people=30, calls=90)
    evaluate(configured(f"judgments=[{people}]"))
    alone = {file.name: file.read_bytes() for file in (folder / "evaluation").glob("*.csv")}
    evaluate(configured(f"judgments=[{people},{folder}/judgments/qwen.jsonl]"))
    both = {file.name: file.read_bytes() for file in (folder / "evaluation").glob("*.csv")}
    assert {"win_rates.csv", "strengths.csv", "agreement.csv", "raters.csv", "claims.csv"} <= alone.keys()
    of_judges = {
        "judges",
        "judge_card",
        "judge_genres",
        "judge_worth",
        "people_and_judges",
        "judge_rates",
        "judge_failures",
    }
    doses = {"doses.csv", "thresholds.csv", "dose_fits.csv", "amount_or_ratio.csv"}  # with curves of the judge's own
    assert {name: both[name] for name in alone if name not in doses} == {
        name: text for name, text in alone.items() if name not in doses
    }
    assert both.keys() - alone.keys() - doses == {f"{name}.csv" for name in of_judges}


def test_a_good_judge_narrows_and_its_worth_is_told(folder: Path) -> None:
    people = write_study(folder, people=40, calls=300, langs=("zh", "en"))
    evaluate(configured(f"judgments=[{people},{folder}/judgments/qwen.jsonl]"))
    together = table(folder, "people_and_judges", lang="zh")
    assert together["further"].to_list() == [260] * 3
    assert (together["width"] < 0.95).all()
    worth = table(folder, "judge_worth", lang="zh", predictor="qwen").row(0, named=True)
    assert worth["replaces_low"] < worth["replaces"] < worth["replaces_high"] < worth["prompts"] == 40
    summary = (folder / "evaluation" / "summary.md").read_text(encoding="utf-8")
    assert "**Chinese queries: Judge qwen replaces " in summary
    assert "**English queries: Judge qwen replaces " in summary
    page = (folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert '<section id="judges">' in page
    card = json.loads((folder / "evaluation" / "judges" / "qwen.json").read_text(encoding="utf-8"))
    assert card["languages"]["zh"]["worth"]["correlation"] == worth["correlation"]
    assert card["languages"]["zh"]["calls"] == 1800
    rates = table(folder, "win_rates", lang="zh", arm="cw", opponent="general")
    alone = together.filter(arm="cw", opponent="general")
    assert alone["people"].to_list() == pytest.approx(rates.filter(pl.col("genre").is_null())["rate"].to_list())


def test_a_judge_that_judged_the_same_prompts_only_adds_nothing_yet(folder: Path) -> None:
    people = write_study(folder, people=30, calls=30)
    evaluate(configured(f"judgments=[{people},{folder}/judgments/qwen.jsonl]"))
    together = table(folder, "people_and_judges")
    assert together["rate"].to_list() == together["people"].to_list()
    summary = (folder / "evaluation" / "summary.md").read_text(encoding="utf-8")
    assert (
        "Judge qwen adds nothing yet, because no prompt is judged by it alone; with many such prompts, at most"
        in summary
    )


def test_judges_alone_are_not_calibrated_and_no_claim_rests_on_them(folder: Path) -> None:
    append_records(folder / "judgments" / "qwen.jsonl", make_calls(40))
    evaluate(configured())
    names = {file.stem for file in (folder / "evaluation").glob("*.csv")}
    assert "judge_rates" in names
    assert not {"win_rates", "strengths", "agreement", "claims", "people_and_judges"} & names
    page = (folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "win rates by judges alone, not calibrated" in page
    assert "Judge qwen: not calibrated, because people have judged too few of the same pairs" in page


def test_two_judges_are_features_of_one_predictor(folder: Path) -> None:
    people = write_study(folder, people=40, calls=120)
    append_records(folder / "judgments" / "other.jsonl", make_calls(120, judge="other", follows=0.5))
    evaluate(configured(f"judgments=[{people},{folder}/judgments/*.jsonl]"))
    worth = dict(table(folder, "judge_worth").select("predictor", "correlation").iter_rows())
    assert list(worth) == ["other", "qwen", "all judges", "all judges without other", "all judges without qwen"]
    assert worth["all judges without other"] == worth["qwen"] > worth["other"]


def test_failures_are_counted_by_arm(folder: Path) -> None:
    people = write_study(folder, people=10, calls=10)
    failed = call("zh-11", "zh", ("cw", "general"), "", failure="no JSON", attempts=3)
    append_records(folder / "judgments" / "qwen.jsonl", [failed])
    evaluate(configured(f"judgments=[{people},{folder}/judgments/qwen.jsonl]"))
    rows = table(folder, "judge_failures").select("arm", "failed", "unread").rows()
    assert rows == [("cw", 1, 3), ("cw+1k", 0, 0), ("general", 1, 3)]


def test_a_yardstick_stands_beside(folder: Path) -> None:
    people = write_study(folder, people=10, calls=10)
    known = [call(f"w{number}", "en", ("chosen", "rejected"), "a" if number % 4 else "b") for number in range(40)]
    append_records(folder / "judgments" / "yardstick" / "qwen.jsonl", known)
    evaluate(configured(f"judgments=[{people},{folder}/judgments/qwen.jsonl]"))
    row = table(folder, "yardstick").filter(pl.col("genre").is_null()).row(0, named=True)
    assert (row["lang"], row["judge"], row["pairs"], row["agreement"]) == ("en", "qwen", 40, 0.75)
    assert 0.57 < row["low"] < 0.62
