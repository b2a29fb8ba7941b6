"""Judgments and answers from elsewhere are evaluated where no arm was trained."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from coig.config import EvaluateConfig
from coig.config.command_line import config_of
from coig.errors import ConfigError
from coig.evaluation.run import evaluate
from tests.evaluation.report.test_report import CONFIG, VERDICTS, judged


def test_judgments_alone_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evaluate(judged(VERDICTS, tmp_path).model_copy(update={"study": "theirs"}))
    folder = tmp_path / "multirun" / "theirs" / "evaluation"
    assert {"win_rates.csv", "strengths.csv", "claims.csv", "report.html"} <= {file.name for file in folder.iterdir()}
    assert not (folder / "automatic.csv").exists()


def test_patterns_and_a_scale_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raters").mkdir()
    for rater in ("ann", "bob"):
        rows = [f"{query},en,cw,{rating},{rater}" for query, rating in enumerate((2, 10, 4))]
        table = "\n".join(["query_id,lang,arm,value,rater", *rows])
        (tmp_path / "raters" / f"{rater}.csv").write_text(table, encoding="utf-8-sig")
    command = ["study=theirs", "judgments=raters/*.csv"]
    with pytest.raises(ConfigError, match=r"ann.csv:3: overall preference is 10, .* rating.scale=\[1,10\]"):
        evaluate(config_of("evaluate", EvaluateConfig, command))
    evaluate(config_of("evaluate", EvaluateConfig, [*command, "rating.scale=[1,10]"]))
    folder = tmp_path / "multirun" / "theirs" / "evaluation"
    assert pl.read_csv(folder / "ratings.csv").select("mean", "ratings").rows() == [(5.333333333, 6)]
    assert "Ratings go from 1 to 10." in (folder / "report.html").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"scale: give the lowest rating first"):
        config_of("evaluate", EvaluateConfig, ["rating.scale=[10,1]"])
    with pytest.raises(ConfigError, match=r"no file has a name of this pattern"):
        config_of("evaluate", EvaluateConfig, ["judgments=raters/*.jsonl"])


def test_the_authors_files_of_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arm, text in {"origin": "他走了。", "baseline": "<think>\n想\n</think>\n\nHe left."}.items():
        answers = {str(number): {"prompt": "Write.", "my_response": text} for number in range(8)}
        (tmp_path / f"wirting_en_pair_merge_{arm}_3epoch.json").write_text(json.dumps(answers), encoding="utf-8")
    files = tuple(str(file) for file in sorted(tmp_path.glob("*.json")))
    evaluate(CONFIG.model_copy(update={"study": "theirs", "answers": files}))
    table = pl.read_parquet(tmp_path / "multirun" / "theirs" / "evaluation" / "automatic.parquet")
    assert dict(table.select("arm", "contaminated").iter_rows()) == {"cw": 1.0, "general": 0.0}
    assert table["tokens"].is_null().all()
    (tmp_path / "wirting_en_origin.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"wirting_en_origin.json: no answers of the authors' shape"):
        evaluate(CONFIG.model_copy(update={"study": "theirs", "answers": (str(tmp_path / "wirting_en_origin.json"),)}))


def test_an_arm_that_nobody_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="arms: cww was neither judged nor trained; did you mean 'cw'"):
        evaluate(judged(VERDICTS, tmp_path).model_copy(update={"study": "theirs", "arms": ("cww",)}))
