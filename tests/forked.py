"""Run the entry scripts in processes forked from one that has already imported their libraries.

Starting Python with torch, Lightning and transformers takes several seconds, and the tests need a hundred of them.
"""

from __future__ import annotations

import atexit
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path
from random import SystemRandom
from socket import socket

ROOT = Path(__file__).parent.parent
PRELOADED = ["tests.preloaded"]
PATIENCE = 500  # seconds, in which anything ends on a busy machine; ranks that lose each other take 600
WORKERS = 16  # of pytest, which have different ports
PATHS = {"open": 0, "os.mkdir": 0, "os.rename": 1}  # audit events, and which of their arguments is the new path

set_forkserver_preload(PRELOADED)


def free_port() -> int:
    """Return a port that nothing uses, that no other worker takes, and that is given to nobody who asks for any."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in SystemRandom().sample(range(20_000 + worker % WORKERS, 32_768, WORKERS), 100):
        with socket() as probe, suppress(OSError):  # somebody uses it
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def outside() -> dict[str, str]:
    """Return the environment without W&B's variables, so that a new process does not join our W&B service.

    The process waits for a service of its own, by default no longer than 30 seconds, here as long as tests wait.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return own | {"WANDB_X_SERVICE_WAIT": str(PATIENCE)}


class Forked:
    """A running script, with the methods of `subprocess.Popen` that tests use.

    The script is a path from the repository's root, or of a file that the test wrote. With `stop_at` it stops itself
    (SIGSTOP), once, before it opens a file of that name, renames one to it, or makes such a folder; with `lines` only
    if the file has so many lines by then, which finds a moment of a run however slow the test is. With `hold_at` only
    the thread that does so stops. Either may be the end of a path.
    """

    def __init__(
        self,
        script: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stop_at: str | None = None,
        hold_at: str | None = None,
        lines: int = 0,
    ) -> None:
        self.arguments = [script, *arguments]
        self._outputs = Path(tempfile.mkdtemp())
        started = self.arguments, folder, dict(environment), self._outputs, stop_at, hold_at, lines
        self._process = get_context("forkserver").Process(target=_run, args=started)
        with chdir(ROOT):  # where the server, which the first start begins, finds PRELOADED
            self._process.start()
        atexit.register(self._kill_what_is_left)

    def _kill_what_is_left(self) -> None:
        """Kill the process if a failed test has left it, maybe stopped: Python would wait for it before it ends."""
        if self._process.is_alive():
            self._process.kill()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid or 0

    def poll(self) -> int | None:
        """Return the exit code; None while the script runs."""
        return self._process.exitcode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, number)

    @property
    def stopped(self) -> bool:
        """Whether the process has been stopped by a signal."""
        try:
            state, *_ = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            return False
        return state == "T"

    def wait_until_stopped(self) -> None:
        """Wait until the process has been stopped by a signal. Raise AssertionError if it ends before."""
        end = time.monotonic() + PATIENCE
        while not self.stopped:
            assert self.poll() is None, self.wait()
            assert time.monotonic() < end, f"{self.arguments} did not stop within {PATIENCE} s"
            time.sleep(0.005)

    @property
    def printed(self) -> str:
        """What the script has printed to stdout so far."""
        file = self._outputs / "stdout"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Wait for the end; return exit code and output. Kill it and raise TimeoutError after PATIENCE seconds."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            raise TimeoutError(f"{self.arguments} took more than {PATIENCE} s")
        printed = [(self._outputs / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(self.arguments, self._process.exitcode or 0, *printed)


@contextmanager
def started_ranks(folder: Path, *overrides: str, hold_at: str | None = None) -> Iterator[list[Forked]]:
    """Start train.py twice, in the environment that torchrun gives two ranks on one node; in the end kill them."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    size = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test"}
    each = ({"RANK": number, "LOCAL_RANK": number} for number in "01")
    ranks = [Forked("train.py", overrides, folder, outside() | address | size | rank, hold_at=hold_at) for rank in each]
    try:
        yield ranks
    finally:
        for rank in ranks:
            with suppress(ProcessLookupError):  # it has ended
                rank.kill()


def _run(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    outputs: Path,
    stop_at: str | None,
    hold_at: str | None,
    lines: int,
) -> None:
    """Do in the forked process what `python script …` would do; write stdout and stderr to files in `outputs`."""

    has_stopped = False

    def stop(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal has_stopped
        if event not in PATHS:
            return
        path = Path(str(arguments[PATHS[event]]))
        if stop_at and path.match(stop_at) and not has_stopped:
            has_stopped = True  # also while the lines are counted, which opens the file
            has_stopped = count_lines(path) >= lines
            if has_stopped:
                os.kill(os.getpid(), signal.SIGSTOP)
        if hold_at and path.match(hold_at):
            time.sleep(PATIENCE)

    def count_lines(path: Path) -> int:
        return path.read_bytes().count(b"\n") if lines and path.exists() else 0

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(outputs / name, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = [str(ROOT / command[0]), *command[1:]]
    sys.path.insert(0, str(ROOT))
    if stop_at or hold_at:
        sys.addaudithook(stop)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing skips exit handlers, and W&B stops its service in one
