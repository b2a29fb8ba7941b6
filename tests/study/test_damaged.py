"""Damaged files of a study are one message that names the file, for every command that reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coig.errors import ConfigError
from coig.records.judgment_database import DATABASE, collect_from
from coig.study.arm import Arm
from coig.study.results import results
from tests.annotation.studies import make_questions, make_store
from tests.studies import make_arm


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"step": 1,', r"metrics\.jsonl:2: damaged"),
        ("[1]", r"metrics\.jsonl:2: is no JSON object"),
        ('{"train/loss": "low"}', r"metrics\.jsonl:2: train/loss is no number"),
    ],
)
def test_metrics(line: str, message: str, tmp_path: Path) -> None:
    arm = Arm(tmp_path)
    arm.metrics.write_text(json.dumps({"step": 0, "train/loss": 2.5}) + "\n" + line + "\n")
    with pytest.raises(ConfigError, match=message):
        arm.last_metric("train/loss")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "holds no keys"),
        ('{"eos_token_id": "end"}', "eos_token_id: is no token's id"),
        ('{"eos_token_id": [2, null, {}]}', "eos_token_id: is no token's id"),
        ('{"eos_token_id": 1000000000000000000000000000000}', "eos_token_id: is no token's id"),
        ("{}", "eos_token_id: missing"),
        ('{"eos_token_id": []}', "eos_token_id: missing"),
    ],
)
def test_generation_config(content: str, message: str, tmp_path: Path) -> None:
    arm = Arm(tmp_path)
    arm.model.mkdir()
    (arm.model / "generation_config.json").write_text(content)
    with pytest.raises(ConfigError, match=rf"generation_config\.json: .*damaged \({message}"):
        arm.end_tokens()
    (arm.model / "generation_config.json").write_text('{"eos_token_id": 2, "pad_token_id": null}')
    assert arm.end_tokens() == [2]


def test_tables_of_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_arm(Path("multirun/s/cw"))
    file = Path("multirun/s/evaluation/measures.parquet")
    file.parent.mkdir()
    file.write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(ConfigError, match=r"\.parquet: damaged .*; run evaluate\.py again"):
        results("s")


def test_databases_of_judgments(tmp_path: Path) -> None:
    file = tmp_path / DATABASE
    store = make_store(file, make_questions(2), "raters=[ann]")
    store.database.close()
    whole = file.read_bytes()
    for damaged in (b"no database" * 100, whole[:1000], whole[:100] + bytes(len(whole) - 100)):
        file.write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"judgments\.sqlite"):
            collect_from(file, "s")
