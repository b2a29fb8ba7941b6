"""One process at a time, also where the file system has no flock."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coig.files.lock import LockHeldError, locked
from tests.conftest import ROOT

# in place of a disk without flock, which a test cannot mount: the system call answers as it does there
NO_FLOCK = """
import errno, fcntl, os
def flock(*_): raise OSError({number}, os.strerror({number}))
fcntl.flock = flock
"""
HOLD = """
from pathlib import Path
from coig.files.lock import locked
with locked(Path("lock")):
    print(flush=True)
    input()
"""


@contextmanager
def holding(folder: Path, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `lock` until it is killed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", before + HOLD]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [None, "errno.ENOSYS", "errno.ENOLCK", "errno.EOPNOTSUPP"])
def test_the_holder_is_named_and_a_killed_one_holds_nothing(
    number: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = NO_FLOCK.format(number=number) if number else ""
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)  # put back at the end
    exec(before, {})
    file = tmp_path / "lock"
    file.touch()  # as every earlier run leaves it
    with holding(tmp_path, before) as process:
        with (
            pytest.raises(LockHeldError, match=f"process {process.pid} on {socket.gethostname()}, since 20"),
            locked(file),
        ):
            pass
        process.kill()
        process.wait()
        with locked(file, patience=5):
            assert json.loads(file.read_bytes())["process"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert file.read_bytes() == b""


def test_another_host_s_lock_is_nobody_s_to_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    exec(NO_FLOCK.format(number="errno.ENOSYS"), {})
    owner = json.dumps({"host": "elsewhere", "process": 1, "started": "1", "since": "yesterday"})
    (tmp_path / "lock").write_text(owner)
    with pytest.raises(LockHeldError, match="process 1 on elsewhere, since yesterday"), locked(tmp_path / "lock", 0.3):
        pass
    assert (tmp_path / "lock").read_text() == owner


def test_ctrl_c_while_the_lock_is_taken_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lock"

    def interrupted(descriptor: int, how: int) -> None:
        real(descriptor, how)
        raise KeyboardInterrupt

    real = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", interrupted)  # the signal comes during the system call
    with pytest.raises(KeyboardInterrupt), locked(file):
        pass
    monkeypatch.undo()
    with locked(file):
        assert json.loads(file.read_bytes())["process"] == os.getpid()
