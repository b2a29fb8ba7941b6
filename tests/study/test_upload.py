"""Offline runs are uploaded as one history each, whatever happened to them: read back from what W&B's client sends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coig.study.arm import Arm
from coig.study.upload import find_offline_runs
from tests.conftest import outside
from tests.forked import Forked
from tests.servers import serving
from tests.small_model import SMALL_MODEL
from tests.studies import make_arm
from tests.study.wandb_receiver import KEY, Receiver

COMMAND = (
    *("study=s", "data.ratio=0", "data.scale=0.001", "data.creative.size=20", "data.validation.general=1"),
    *("trainer.global_batch_size=4", "trainer.max_epochs=2", "trainer.checkpoint_every=3", "model.max_length=160"),
    *SMALL_MODEL,
)
STEPS = 10


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as server:
        yield server


def train(folder: Path, lines: int = 0) -> Forked:
    """Start train.py offline; with `lines` it stops itself in the step after so many lines of metrics."""
    stop_at, environment = "metrics.jsonl" if lines else None, outside() | {"WANDB_MODE": "offline"}
    return Forked("train.py", COMMAND, folder, environment, stop_at, lines=lines)


def end_by_signal(process: Forked) -> None:
    """End training that stops itself by SIGTERM."""
    process.wait_until_stopped()
    process.kill(signal.SIGTERM)
    process.kill(signal.SIGCONT)
    process.wait()


def run_study(folder: Path, receiver: Receiver, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of coig.study where W&B's server is the receiver, with further environment variables."""
    there = {"WANDB_BASE_URL": receiver.address, "WANDB_API_KEY": KEY, "COLUMNS": "140"}
    environment = outside() | there | {"HOME": str(folder), "NETRC": str(folder / "netrc")} | variables
    return Forked("coig/study/__main__.py", arguments, folder, environment).wait()


def study(folder: Path, receiver: Receiver, *arguments: str) -> str:
    """Run a command of coig.study as `run_study` does; return what it prints."""
    run = run_study(folder, receiver, *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def check_history(receiver: Receiver, arm: Path) -> None:
    """Compare what was received of an arm's run with its metrics.jsonl, which has each step once."""
    run = json.loads((arm / "manifest.json").read_text())["wandb_run"]
    lines: list[dict[str, Any]] = [json.loads(line) for line in (arm / "metrics.jsonl").read_text().splitlines()]
    rows = receiver.rows(run)
    assert [row["trainer/global_step"] for row in rows] == [line.pop("step") for line in lines]
    assert [{key: row[key] for key in line} for row, line in zip(rows, lines, strict=True)] == lines
    assert receiver.overlaps == []
    assert receiver.exit_codes[run] == 0
    steps = [row["trainer/global_step"] for row in rows if "train/loss" in row]
    assert steps == list(range(STEPS))


@pytest.mark.slow
def test_two_parts_of_a_run_become_one_history(receiver: Receiver, tmp_path: Path) -> None:
    """Both have the steps since the last checkpoint, and an earlier version kept both."""
    arm = tmp_path / "multirun" / "s" / "cw"
    end_by_signal(train(tmp_path, lines=6))  # 5 steps, a validation
    [first] = arm.glob("wandb/offline-run-*")
    shutil.copytree(first, tmp_path / first.name)
    ended = train(tmp_path).wait()
    assert ended.returncode == 0, ended.stderr
    shutil.move(tmp_path / first.name, first)
    assert len(list(arm.glob("wandb/offline-run-*"))) == 2
    assert "s: W&B lacks cw; python -m coig.study upload s" in study(tmp_path, receiver, "list")
    assert "s/cw: uploaded, 2 parts" in study(tmp_path, receiver, "upload", "s")
    check_history(receiver, arm)
    assert "W&B lacks" not in study(tmp_path, receiver, "list")
    assert "nothing to upload" in study(tmp_path, receiver, "upload", "s")


@pytest.mark.slow
def test_a_run_that_was_uploaded_when_it_stopped_goes_on(receiver: Receiver, tmp_path: Path) -> None:
    arm = tmp_path / "multirun" / "s" / "cw"
    end_by_signal(train(tmp_path, lines=4))
    study(tmp_path, receiver, "upload", "s")
    [run] = receiver.exit_codes
    assert receiver.exit_codes[run] == 1
    received = len(receiver.rows(run))
    assert received >= 4
    ended = train(tmp_path).wait()
    assert ended.returncode == 0, ended.stderr
    study(tmp_path, receiver, "upload", "s")
    check_history(receiver, arm)


@pytest.fixture
def offline(tmp_path: Path) -> Arm:
    """An arm that logs to a team's account, with a run that was kept offline."""
    arm = make_arm(tmp_path / "multirun" / "s" / "cw", "logger=wandb", "+logger.entity=my-team")
    kept = arm.folder / "wandb" / "offline-run-20260101_000000-abcd"
    kept.mkdir(parents=True)
    (kept / "run-abcd.wandb").touch()
    arm.metrics.write_text('{"step": 0, "train/loss": 5.0}\n{"step": 1, "train/loss": 4.5}\n')
    return arm


TRUSTED = "trusted=[lightning.pytorch.loggers.WandbLogger]"


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_a_mode_that_sends_nothing_marks_nothing(mode: str, offline: Arm, receiver: Receiver, tmp_path: Path) -> None:
    run = run_study(tmp_path, receiver, "upload", "s", TRUSTED, WANDB_MODE=mode)
    assert run.returncode == 1, run.stdout
    assert f"W&B's mode is {mode}, in which nothing is sent" in run.stderr
    assert find_offline_runs(offline) == list(offline.folder.glob("wandb/*"))
    assert len(find_offline_runs(offline)) == 1


def test_what_is_not_uploaded_yet_is_not_marked(offline: Arm, receiver: Receiver, tmp_path: Path) -> None:
    """An arm that is still trained, one with a logger that is not trusted, and one with a damaged line of metrics."""
    with offline.locked():
        assert "it was skipped" in study(tmp_path, receiver, "upload", "s", TRUSTED)
    refused = run_study(tmp_path, receiver, "upload", "s")
    assert "logger.entity: would decide where the results are sent; " + TRUSTED in refused.stderr
    whole = offline.metrics.read_text()
    offline.metrics.write_text("{\n" + whole)
    damaged = run_study(tmp_path, receiver, "upload", "s", TRUSTED)
    assert "metrics.jsonl:1: damaged" in damaged.stderr
    assert "Traceback" not in refused.stderr + damaged.stderr
    assert len(find_offline_runs(offline)) == 1
    offline.metrics.write_text(whole)
    assert "s/cw: uploaded" in study(tmp_path, receiver, "upload", "s", TRUSTED)
    assert [row["train/loss"] for row in receiver.rows("abcd")] == [5.0, 4.5]
    assert find_offline_runs(offline) == []


def test_nobody_is_logged_in(tmp_path: Path) -> None:
    folder = tmp_path / "multirun" / "s" / "cw"
    make_arm(folder, "logger=wandb")
    (folder / "wandb" / "offline-run-20260101_000000-abcd").mkdir(parents=True)
    environment = outside() | {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
    run = Forked("coig/study/__main__.py", ["upload", "s"], tmp_path, environment).wait()
    assert run.returncode == 1
    assert "upload: W&B is not logged in or cannot be reached; wandb login" in run.stderr
    assert "Traceback" not in run.stderr
