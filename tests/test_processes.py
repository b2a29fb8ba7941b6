"""Whole commands in odd places, beside each other, and stopped: one line, the right exit code, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coig.study.arm import Arm
from tests.conftest import ROOT, outside
from tests.forked import PATIENCE, Forked

TINY = (
    *("study=s", "data.creative.size=24", "model.max_length=160"),
    *("trainer.global_batch_size=4", "trainer.max_epochs=1", "logger=none"),
)
ENDED_WITHIN = 20  # seconds after the command: its workers notice, finish the step that they are at, and end


def until(condition: Callable[[], object], run: Forked | subprocess.Popen[str]) -> None:
    """Wait for something that a running command does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert run.poll() is None, "the command ended before"
        assert time.monotonic() < end
        time.sleep(0.005)


def processes_of(session: int) -> list[int]:
    """Return the processes of a session that are alive."""
    alive = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of, *_ = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(of) == session and state != "Z":
            alive.append(int(file.parent.name))
    return alive


@pytest.mark.slow
def test_workers_end_with_the_command_that_started_them(tmp_path: Path) -> None:
    sweep = ("-m", "launcher=joblib", "hydra.launcher.n_jobs=2", "data.ratio=0,1k", *TINY, "trainer.checkpoint_every=2")
    command = [sys.executable, str(ROOT / "train.py"), *sweep, "trainer.max_epochs=200"]
    with (tmp_path / "printed").open("w") as printed:
        run = subprocess.Popen(
            command, cwd=tmp_path, env=outside(), stdout=printed, stderr=printed, text=True, start_new_session=True
        )
    arms = [Arm(tmp_path / "multirun" / "s" / name) for name in ("cw", "cw+1k")]
    try:
        until(lambda: all(arm.checkpoint for arm in arms), run)
        run.terminate()
        assert run.wait(PATIENCE) in (143, -signal.SIGTERM)
        end = time.monotonic() + ENDED_WITHIN
        while alive := processes_of(run.pid):
            assert time.monotonic() < end, f"still at work: {alive}"
            time.sleep(0.1)
    finally:
        for process in processes_of(run.pid):
            os.kill(process, signal.SIGKILL)
    assert [(arm.manifest().status, arm.manifest().error) for arm in arms] == [("failed", "interrupted")] * 2
