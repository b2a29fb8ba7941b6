"""Sweeps that are stopped again and again, by SIGTERM and kill -9, end as if left alone, and watch is right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from coig.config.process import PREEMPTED
from coig.files.atomic import read_jsonl
from coig.study.arm import Arm
from coig.study.manifest import INTERRUPTED
from coig.study.progress import look_at
from tests.conftest import ROOT, outside
from tests.forked import PATIENCE, Forked
from tests.small_model import SMALL_MODEL
from tests.test_processes import processes_of

TINY = (
    *("-m", "study=s", "data.scale=0.001", "data.creative.size=12", "data.validation.general=1", "logger=none"),
    *("trainer.global_batch_size=4", "trainer.threads=1", "model.max_length=160", *SMALL_MODEL),
)
SIX = (*TINY, "data.ratio=0,1k", "seed=0,1,2", "trainer.max_epochs=15")
STOPS = (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)


class Sweep:
    """A sweep in a session of its own, so that all its processes can be found."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.printed = (folder / "printed").open("a")
        command = [sys.executable, str(ROOT / "train.py"), *overrides]
        self.run = subprocess.Popen(
            command, cwd=folder, env=outside(), stdout=self.printed, stderr=self.printed, start_new_session=True
        )

    def stop(self, number: signal.Signals) -> int:
        """Send the command a signal, and wait until all its processes have ended; return its exit code."""
        self.run.send_signal(number)
        code = self.run.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while processes_of(self.run.pid):
            assert time.monotonic() < end
            time.sleep(0.05)
        return code

    def close(self) -> None:
        """Kill what is left."""
        for process in processes_of(self.run.pid):
            os.kill(process, signal.SIGKILL)
        self.run.wait()
        self.printed.close()


def steps_of(study: Path) -> int:
    """Return how many steps all arms have logged."""
    return sum(file.read_text().count('"train/loss"') for file in study.glob("*/metrics.jsonl"))


def check_truth(study: Path) -> None:
    """Compare what watch shows with the arms' manifests just before and after, between which it may lie."""
    before = statuses(study)
    shown = look_at(study)
    after = statuses(study)
    for arm in shown:
        told = {before.get(arm.arm), after.get(arm.arm)}
        match arm.state:
            case "done" | "running":
                assert arm.state in told
            case "failed":
                raise AssertionError(f"{arm.arm}: no arm fails here, {arm.error}")
            case "waiting":
                assert before.get(arm.arm) is None
            case "stopped":
                assert told <= {"running", f"failed: {INTERRUPTED}"}
            case "starting":
                assert "done" not in told or len(told) == 2
        if arm.steps is not None:
            assert arm.logged.steps <= arm.steps
            assert arm.state != "done" or arm.logged.steps == arm.steps


def statuses(study: Path) -> dict[str, str]:
    """Return the status of every arm with a manifest, and the error of failed ones."""
    manifests = {file.parent.name: Arm(file.parent).manifest() for file in study.glob("*/manifest.json")}
    return {name: f"failed: {one.error}" if one.status == "failed" else one.status for name, one in manifests.items()}


def weights(study: Path) -> dict[str, bytes]:
    return {file.parents[1].name: file.read_bytes() for file in study.glob("*/model/model.safetensors")}


def disturb(folder: Path, sweep: Sequence[str], stops: Sequence[signal.Signals], seed: int) -> list[int]:
    """Run a sweep, stop it at random moments, once by each signal, and let it end; return the exit codes."""
    rng, study, codes = np.random.default_rng(seed), folder / "multirun" / "s", []
    for number in stops:
        goal = steps_of(study) + int(rng.integers(2, 7))
        one = Sweep(folder, *sweep)
        try:
            while steps_of(study) < goal:
                assert one.run.poll() is None, (folder / "printed").read_text()
                if study.exists():
                    check_truth(study)
                time.sleep(0.02)
            time.sleep(float(rng.uniform(0, 0.3)))
            codes.append(one.stop(number))
        finally:
            one.close()
        check_truth(study)
    last = Sweep(folder, *sweep)
    try:
        while last.run.poll() is None:
            check_truth(study)
            time.sleep(0.05)
    finally:
        last.close()
    return [*codes, last.run.returncode]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The weights of the six arms of a sweep that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    run = Forked("train.py", SIX, folder, outside()).wait()
    assert run.returncode == 0, run.stderr
    return weights(folder / "multirun" / "s")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["local", "submitit_local"])
def test_six_arms_that_are_stopped_four_times(whole: dict[str, bytes], launcher: str, tmp_path: Path) -> None:
    codes = disturb(tmp_path, (*SIX, f"launcher={launcher}"), STOPS, seed=31)
    assert codes[-1] == 0
    assert weights(tmp_path / "multirun" / "s") == whole
    assert [arm.state for arm in look_at(tmp_path / "multirun" / "s")] == ["done"] * 6


def wait_for_steps(process: Forked, study: Path, count: int) -> None:
    end = time.monotonic() + PATIENCE
    while steps_of(study) < count:
        assert process.poll() is None, process.wait().stderr
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)])
def test_a_signal_ends_the_step_and_leaves_its_checkpoint(number: signal.Signals, tmp_path: Path) -> None:
    """The sweep ends with a code of its own, and the same command goes on at that step."""
    sweep = (*TINY, "data.ratio=0", "seed=0,1", "trainer.max_epochs=300")
    study = tmp_path / "multirun" / "s"
    process = Forked("train.py", sweep, tmp_path, outside())
    wait_for_steps(process, study, 4)
    process.kill(number)
    ended = process.wait()
    assert ended.returncode == PREEMPTED, ended.stderr
    assert f"{number.name}: stops after this step" in ended.stdout
    arm = Arm(study / "cw")
    taken = steps_of(study)
    assert arm.checkpoint == arm.checkpoint_of(taken)
    assert (arm.manifest().status, arm.manifest().error) == ("failed", INTERRUPTED)
    assert [one.state for one in look_at(study)] == ["stopped", "waiting"]
    again = Forked("train.py", sweep, tmp_path, outside())
    wait_for_steps(again, study, taken + 1)
    again.kill()
    again.wait()
    assert [one.state for one in look_at(study)] == ["stopped", "waiting"]
    numbers = [json.loads(line)["step"] for _, line in read_jsonl(arm.metrics) if '"train/loss"' in line]
    assert numbers == list(range(len(numbers)))


def test_a_signal_in_an_arm_s_last_step_begins_no_further_arm(tmp_path: Path) -> None:
    """It comes as the last checkpoint gets its name; the arm is then finished."""
    sweep = (*TINY, "data.ratio=0", "seed=0,1", "trainer.max_epochs=3")
    process = Forked("train.py", sweep, tmp_path, outside(), stop_at="step-00000009.ckpt")
    process.wait_until_stopped()
    process.kill(signal.SIGTERM)
    process.kill(signal.SIGCONT)
    ended = process.wait()
    assert ended.returncode == PREEMPTED, ended.stderr
    assert [one.state for one in look_at(tmp_path / "multirun" / "s")] == ["done", "waiting"]
