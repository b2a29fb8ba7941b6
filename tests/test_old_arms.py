"""An arm trained by an earlier version can be read, skipped, resumed, asked and evaluated by this one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.conftest import ROOT, Command

STORED = ROOT / "tests" / "stored"
TRAIN = ("train.py", "study=old", "length=fast", "data.ratio=1k", "logger=none")


def test_an_arm_of_an_earlier_version_lives_on(command: Command, tmp_path: Path) -> None:
    arm = tmp_path / "multirun" / "old" / "cw+1k"
    assert command(*TRAIN).returncode == 0
    shutil.copy(STORED / "format-1.yaml", arm / "config.yaml")  # an old config beside a current model
    shutil.copy(STORED / "manifest.json", arm / "manifest.json")
    again = command(*TRAIN)
    assert "done already, skipped" in again.stdout, again.stdout + again.stderr
    manifest = json.loads((arm / "manifest.json").read_text())
    (arm / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    resumed = command(*TRAIN)
    assert "cw+1k: done in" in resumed.stdout, resumed.stdout + resumed.stderr
    assert json.loads((arm / "manifest.json").read_text())["wandb_run"] == manifest["wandb_run"]
    shutil.copy(STORED / "format-1.yaml", arm / "config.yaml")
    shutil.copy(STORED / "manifest.json", arm / "manifest.json")
    (arm / "generations").mkdir(exist_ok=True)
    shutil.copy(STORED / "answers.jsonl", arm / "generations" / "sample.jsonl")
    ask = ("generate.py", "study=old", "per_genre=1", "sampling.max_new_tokens=8")
    answered = command(*ask)
    assert answered.returncode == 0, answered.stdout + answered.stderr
    lines = [json.loads(line) for line in (arm / "generations" / "sample.jsonl").read_text().splitlines()]
    assert len(lines) == 102
    assert {type(line["engine"]) for line in lines} == {str, dict}  # earlier lines are unchanged
    assert command("evaluate.py", "study=old").returncode == 0
    assert (tmp_path / "multirun" / "old" / "evaluation" / "report.html").exists()


def test_a_manifest_of_the_first_version_is_read(tmp_path: Path) -> None:
    from coig.study.manifest import read_manifest

    manifest = read_manifest(STORED / "manifest-first.json")
    assert (manifest.arm, manifest.ratio.text, manifest.training) == ("cw", "0", manifest.training)
    assert manifest.data.examples("creative") == 51
