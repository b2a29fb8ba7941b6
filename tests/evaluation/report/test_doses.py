"""The report's first section: pictures and words on the ratio, from the paper's rankings alone."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.legend import Legend

from coig.config.command_line import config_of
from coig.config.stages import EvaluateConfig
from coig.evaluation import evaluate
from coig.evaluation.findings.doses import DOSE_CURVES, DOSES, THRESHOLDS
from coig.evaluation.plan import candidate_doses, main, unused_seed
from coig.evaluation.report.dose_figures import draw_dose_figures
from coig.evaluation.report.results import Evaluation
from tests.evaluation.paper import PAIRS, QUERIES, WINS, authors_export
from tests.studies import make_arm, roster_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the paper's rankings and the report of these."""
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "multirun").mkdir()
        for lang in ("zh", "en"):
            (folder / f"{lang}.json").write_text(json.dumps(authors_export(lang)), encoding="utf-8")
        evaluate(config_of("evaluate", EvaluateConfig, ["study=paper", "judgments=[zh.json,en.json]"]))
    return folder


def test_the_report_begins_with_the_ratio(folder: Path) -> None:
    report = folder / "multirun" / "paper" / "evaluation"
    page, summary = ((report / name).read_text(encoding="utf-8") for name in ("report.html", "summary.md"))
    assert page.index("<section") == page.index('<section id="dose">')
    assert page.index("<svg") > page.index('<section id="dose">')
    assert "R₅₀ 6.0 (" in page  # in the picture
    assert "bracket 1.2–12" in page
    assert summary.index("![Chinese queries: results by ratio](figures/dose_zh.png)") < summary.index("claims")
    assert "1:12 is the threshold" in summary
    assert {"dose_zh.png", "dose_en.svg"} <= {file.name for file in (report / "figures").iterdir()}
    assert pl.read_parquet(report / "thresholds.parquet")["r50"].to_list() == [pytest.approx(6, abs=0.01), np.inf]
    for name in ("doses", "dose_curves", "dose_fits"):
        assert (report / f"{name}.csv").exists()


def test_the_plan_of_the_papers_study(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "60")
    main(["study=paper", "judgments=[zh.json,en.json]"])
    printed = capsys.readouterr().out.splitlines()
    assert "Chinese queries: preference" in [line.strip() for line in printed]
    for command in ("train.py study=paper data.ratio=1:2.9", "train.py -m study=paper seed=1 data.ratio=…"):
        [line] = [line for line in printed if command in line]  # once for both languages, and not folded
        assert line.startswith("  python train.py")
    assert printed[printed.index("50 more prompts") + 1] == "  python generate.py study=paper queries=FILE"


def test_the_next_seed_is_one_that_was_not_trained(tmp_path: Path) -> None:
    arms = [make_arm(tmp_path / f"cw-s{seed}", seed=seed) for seed in (0, 1, 3)]
    assert unused_seed(arms, seeds=3) == 2
    assert unused_seed(arms[1:], seeds=2) == 0
    assert unused_seed([], seeds=2) == 2


def test_the_plan_counts_all_prompts_where_each_had_few_of_the_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("multirun").mkdir()
    chance = random.Random(0)
    rows = []
    for place in range(400):  # two of the ten pairs to each of 200 prompts, each pair by one rater, in 72 seconds
        pair = PAIRS[place % 10]
        winner = "a" if chance.random() < WINS["zh"][pair] / QUERIES["zh"] else "b"
        facts = {"query_id": f"q{place // 2}", "lang": "zh", "rater": f"r{place % 4}", "seconds": 72}
        rows.append(json.dumps({**facts, "kind": "pairwise", "arms": pair, "value": winner}))
    Path("pairs.jsonl").write_text("\n".join(rows), encoding="utf-8")
    main(["study=pairs", "judgments=pairs.jsonl"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(" 50 more prompts")]
    narrower, _, hours = line.partition(" > 12 ")[2].split()[:3]
    assert hours == "2.0"  # 100 verdicts
    assert float(narrower) < 20  # errors become smaller by 11 %, as 200 prompts become 250


def test_candidates_lie_between_the_arms_and_beyond_the_last() -> None:
    assert candidate_doses([0.0, 1.2, 6.0, 12.0]) == [0.48, 2.9, 8.5, 25.0]


def test_every_setting_is_drawn_and_named_once_whatever_their_number() -> None:
    settings = [f"rank {rank}, model.learning_rate {rate}" for rank in (4, 8, 16) for rate in (0.001, 0.002, 0.003)]
    about = {"lang": "zh", "measure": "preference", "label": "win rate"}
    ends = dict.fromkeys(("low", "low_raters", "r50_low", "bracket_low"), 0.4)
    ends |= dict.fromkeys(("high", "high_raters", "r50_high", "bracket_high"), 0.6)
    points = [
        about | ends | {"setting": s, "arm": "a", "is_share": True, "dose": d, "value": 0.5, "average": 0.5}
        for s in settings
        for d in (0.0, 1.0, 6.0)
    ]
    thresholds = [about | ends | {"setting": setting, "r50": 1.0, "largest_dose": 6.0} for setting in settings]
    frames = {"doses": (points, DOSES), "dose_curves": (points, DOSE_CURVES), "thresholds": (thresholds, THRESHOLDS)}
    tables = {name: pl.DataFrame(rows, schema=schema) for name, (rows, schema) in frames.items()}
    figure = draw_dose_figures(Evaluation("s", roster_of(("a",)), tables))["dose_zh"]
    [legend] = figure.findobj(Legend)
    assert [text.get_text() for text in legend.get_texts()] == settings
    looks = [(line.get_color(), line.get_marker()) for line in legend.get_lines()]
    assert len(set(looks)) == 9
    drawn = {(line.get_color(), line.get_marker()) for line in figure.axes[0].get_lines()}
    assert drawn > set(looks)
