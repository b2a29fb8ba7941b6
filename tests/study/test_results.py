"""All studies in one table: what was measured, and what each arm is."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import coig
from coig.errors import ConfigError
from coig.study.__main__ import main
from coig.study.results import MEASURES
from tests.studies import make_arm, make_group

MEASURED = {"lang": "en", "measure": "contaminated", "value": 0.5, "low": 0.4, "high": 0.6, "n": 51}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two studies, the first one evaluated: of two ratios, and of another learning rate and seed."""
    monkeypatch.chdir(tmp_path)
    facts = {"times": {"seconds": 5400.0}, "training": {"steps": 7, "epochs": 1.0, "supervised_tokens": 90}}
    qwen = Path("multirun/qwen")
    data = {"train": [make_group(examples=50), make_group("general", examples=600)]}
    for arm in (
        make_arm(qwen / "cw", ratio="0", **facts),
        make_arm(qwen / "cw+10k", ratio="10k", data=data, git={"revision": "abcdef1", "dirty": False}, **facts),
        make_arm(Path("multirun/other/cw"), "model.learning_rate=0.1", "seed=3", ratio="0", seed=3, **facts),
    ):
        arm.metrics.write_text(json.dumps({"validation/loss/creative/zh/answer": 3.5}) + "\n")
    (qwen / "evaluation").mkdir()
    rows = [MEASURED | {"arm": "cw"}, MEASURED | {"arm": "cw+10k", "value": 0.0}]
    pl.DataFrame(rows, schema=MEASURES).write_parquet(qwen / "evaluation" / "measures.parquet")
    return tmp_path


def test_a_row_for_each_arm_language_and_measure(folder: Path) -> None:
    found = coig.results("qwen")
    about = found.select("study", "arm", "lang", "measure", "value", "seed", "dose", "tokens", "hours", "revision")
    assert about.rows() == [
        ("qwen", "cw", "en", "contaminated", 0.5, 0, 0.0, 90, 1.5, None),
        ("qwen", "cw+10k", "en", "contaminated", 0.0, 0, 12.0, 90, 1.5, "abcdef1"),
        ("qwen", "cw", "zh", "held-out loss", 3.5, 0, 0.0, 90, 1.5, None),
        ("qwen", "cw+10k", "zh", "held-out loss", 3.5, 0, 12.0, 90, 1.5, "abcdef1"),
    ]
    assert found["data.ratio"].to_list() == ["0", "10k"] * 2
    assert not [name for name in found.columns if name.startswith(("model.", "study.", "logger", "question"))]


def test_settings_in_which_studies_differ_are_columns_with_their_types(folder: Path) -> None:
    found = coig.results()
    assert dict(found.group_by("study").len().iter_rows()) == {"qwen": 4, "other": 1}
    rates = dict(found.select("study", "model.learning_rate").unique().iter_rows())
    assert found.schema["model.learning_rate"] == pl.Float64
    assert rates["other"] == 0.1
    assert set(coig.results(folder / "multirun" / "o*")["study"]) == {"other"}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_command(folder: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["table", "multirun/*", "-o", f"all.{suffix}"])
    read = pl.read_parquet if suffix == "parquet" else pl.read_csv
    assert read(folder / f"all.{suffix}").height == 5
    assert f"all.{suffix}: 5 rows of 2 studies" in capsys.readouterr().out
    main(["table", "qwen"])
    assert "contaminated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["qwne"], "qwne: no study is there; did you mean 'qwen'"),
        (["qwen", "-o", "all.txt"], "results.parquet or results.csv"),
        (["-o"], "results.parquet or results.csv"),
    ],
)
def test_what_it_does_not_know(folder: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main(["table", *arguments])
