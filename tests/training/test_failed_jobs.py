"""What becomes of arms that fail: others go on or not, some are tried again, and their job of SLURM is failed, too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coig.config.process import PREEMPTED
from coig.study.__main__ import main
from coig.study.arm import Arm
from coig.study.progress import look_at
from tests.conftest import ROOT, outside
from tests.forked import PATIENCE, Forked
from tests.small_model import SMALL_MODEL

TINY = (
    *("study=s", "data.ratio=0", "data.scale=0.001", "data.creative.size=12", "data.validation.general=1"),
    *("trainer.global_batch_size=4", "model.max_length=160", "logger=none", *SMALL_MODEL),
)
FAILS_FIRST = ("-m", *TINY, "model.learning_rate=1e30,1e-3")
FAKE_SLURM = ROOT / "tests" / "training" / "fake_slurm.py"
FIRST, SECOND = "cw-learning_rate_1e+30", "cw-learning_rate_0.001"


def statuses(study: Path) -> dict[str, str]:
    return {one.arm: one.state for one in look_at(study)}


def test_failures_continue_or_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = Forked("train.py", [*FAILS_FIRST, "failures=stop"], tmp_path, outside()).wait()
    assert stopped.returncode == 1
    study = tmp_path / "multirun" / "s"
    assert statuses(study) == {FIRST: "failed", SECOND: "waiting"}
    assert not (study / SECOND).exists()
    monkeypatch.chdir(tmp_path)
    main(["list"])
    assert f"s/{FIRST}: ConfigError: step 2: loss" in capsys.readouterr().out
    main(["watch"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"s: 0 of 2 arms done, 1 failed, 1 waiting; {FIRST} failed: ConfigError: step 2: loss")
    assert shown.count("\n") == 1
    went_on = Forked("train.py", FAILS_FIRST, tmp_path, outside()).wait()
    assert went_on.returncode == 1
    assert statuses(study) == {FIRST: "failed", SECOND: "done"}


def test_an_arm_that_fails_before_its_manifest_is_listed_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The optimizer's module does not exist, which is noticed when the model is there."""
    broken = ("-m", *TINY, "optimizer._target_=tests.training.failing.Missing,torch.optim.AdamW", "failures=stop")
    assert Forked("train.py", broken, tmp_path, outside()).wait().returncode == 1
    study = tmp_path / "multirun" / "s"
    [first, second] = look_at(study)
    assert (first.state, second.state) == ("failed", "waiting")
    assert "tests.training.failing.Missing" in str(first.error)
    monkeypatch.chdir(tmp_path)
    make_done = Forked("train.py", [*TINY, "arm=other", "trainer.max_steps=1"], tmp_path, outside()).wait()
    assert make_done.returncode == 0, make_done.stderr
    main(["list"])
    assert f"s/{first.arm}: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "more"),
    [("KilledOnce", ["overwrite=true"]), pytest.param("OutOfMemoryOnce", [], marks=pytest.mark.slow)],
)
def test_an_arm_is_tried_again_after_a_signal_or_a_lack_of_memory(target: str, more: list[str], tmp_path: Path) -> None:
    """The second attempt goes on from the checkpoint of the first, also if the first had to start anew."""
    own = (
        *more,
        "arm=cw",
        "retries=1",
        "trainer.checkpoint_every=1",
        f"optimizer._target_=tests.training.failing.{target}",
    )
    run = Forked("train.py", [*TINY, *own], tmp_path, outside()).wait()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "trying again (retries=1)" in run.stdout + run.stderr
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    assert arm.manifest().status == "done"
    assert len((tmp_path / "attempts").read_text()) == 2
    logged = arm.metrics.read_text().count('"train/loss"')
    assert len((tmp_path / "steps").read_text()) == logged + 1  # the step that failed was taken twice, no other
    plain = Forked("train.py", [*TINY, "arm=plain"], tmp_path, outside()).wait()
    assert plain.returncode == 0, plain.stderr
    weights = [(arm.folder.with_name(name) / "model" / "model.safetensors").read_bytes() for name in ("cw", "plain")]
    assert weights[0] == weights[1]


def test_bad_input_is_not_tried_again(tmp_path: Path) -> None:
    run = Forked("train.py", [*TINY, "retries=2", "model.learning_rate=1e30"], tmp_path, outside()).wait()
    assert run.returncode == 1
    assert "trying again" not in run.stdout + run.stderr
    assert (run.stdout + run.stderr).count("is not finite") <= 3


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has SLURM."""
    for name in ("sbatch", "srun", "scontrol", "sacct"):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(
            f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests" / "training" / "fake_slurm.py"} {name} "$@"\n'
        )
        command.chmod(0o755)
    (tmp_path / "slurm").mkdir()
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return outside() | {"PATH": path, "FAKE_SLURM": str(tmp_path / "slurm"), "PYTHONPATH": str(ROOT)}


def queue(folder: Path, environment: dict[str, str], *overrides: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "train.py"), "-m", "launcher=slurm", *TINY, *overrides]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=-1, stderr=subprocess.STDOUT, text=True)


def said(folder: Path, name: str) -> str:
    """Wait for what the fake SLURM notes of the job."""
    end, file = time.monotonic() + PATIENCE, folder / "slurm" / name
    while not file.exists() or not file.read_text():
        assert time.monotonic() < end, (folder / "slurm" / "log").read_text()
        time.sleep(0.05)
    return file.read_text()


def wait_for_steps(arm: Arm, steps: int) -> None:
    """Wait until an arm has logged so many steps."""
    end = time.monotonic() + PATIENCE
    while not arm.metrics.exists() or arm.metrics.read_text().count("train/loss") < steps:
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.slow
def test_a_job_whose_arm_failed_is_failed(slurm: dict[str, str], tmp_path: Path) -> None:
    """The arm fails before torch is loaded, since another process holds it."""
    with Arm(tmp_path / "multirun" / "s" / "cw").locked():
        run = queue(tmp_path, slurm)
        printed, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    assert "another process is at work on this arm" in printed
    assert (said(tmp_path, "state"), said(tmp_path, "code")) == ("FAILED", "1")


@pytest.mark.slow
def test_a_job_whose_time_ends_is_queued_again_and_goes_on(slurm: dict[str, str], tmp_path: Path) -> None:
    run = queue(tmp_path, slurm, "trainer.max_epochs=40")
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    wait_for_steps(arm, 5)
    os.kill(int(said(tmp_path, "process")), signal.SIGUSR2)
    printed, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, printed
    assert (said(tmp_path, "state"), said(tmp_path, "queued")) == ("COMPLETED", "2")
    assert arm.manifest().status == "done"
    steps = [json.loads(line)["step"] for line in arm.metrics.read_text().splitlines() if '"train/loss"' in line]
    assert steps == list(range(40 * 3))


def test_a_job_that_was_queued_again_overwrites_only_what_others_trained(tmp_path: Path) -> None:
    arm = Arm(tmp_path / "multirun" / "s" / "cw")

    def train(**variables: str) -> str:
        """Train the arm anew with these environment variables, and return the id of the run that made it."""
        run = Forked("train.py", [*TINY, "trainer.max_steps=1", "overwrite=true"], tmp_path, outside() | variables)
        ended = run.wait()
        assert ended.returncode == 0, ended.stderr
        return arm.manifest().wandb_run

    by_hand = train()
    again = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"}
    by_job = train(**again)  # its first run ended before it had begun the arm
    assert by_job != by_hand
    assert train(**again) == by_job


@pytest.mark.slow
def test_a_job_that_is_cancelled_writes_a_checkpoint_and_ends(slurm: dict[str, str], tmp_path: Path) -> None:
    run = queue(tmp_path, slurm, "trainer.max_epochs=1000")
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    wait_for_steps(arm, 5)
    os.kill(int(said(tmp_path, "process")), signal.SIGTERM)
    assert said(tmp_path, "code") == str(PREEMPTED)
    assert said(tmp_path, "queued") == "1"
    taken = arm.metrics.read_text().count('"train/loss"')
    assert arm.checkpoint == arm.checkpoint_of(taken)
    run.kill()
    run.communicate()
