"""Run the entry scripts in processes forked from one that has already imported their libraries.

Starting Python with torch, Lightning and transformers takes several seconds, and the tests need a hundred of them.
"""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path

ROOT = Path(__file__).parent.parent
PRELOADED = ["coig.training.fit", "coig.generation.run", "coig.generation.hf", "coig.evaluation.run", "peft", "wandb"]
PATIENCE = 300  # seconds
PATHS = {"open": 0, "os.mkdir": 0, "os.rename": 1}  # audit events, and which of their arguments is the new path

set_forkserver_preload([*PRELOADED, "transformers.models.qwen2.modeling_qwen2"])


class Forked:
    """A running script, with the methods of `subprocess.Popen` that tests use.

    The script is a path from the repository's root, or of a file that the test wrote. With `stop_at` it stops itself
    (SIGSTOP), once, before it opens a file of that name, renames one to it, or makes such a folder.
    """

    def __init__(
        self,
        script: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stop_at: str | None = None,
    ) -> None:
        self.arguments = [script, *arguments]
        self._outputs = Path(tempfile.mkdtemp())
        started = self.arguments, folder, dict(environment), self._outputs, stop_at
        self._process = get_context("forkserver").Process(target=_run, args=started)
        self._process.start()

    def poll(self) -> int | None:
        """Return the exit code; None while the script runs."""
        return self._process.exitcode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process."""
        os.kill(self._process.pid or 0, number)

    @property
    def stopped(self) -> bool:
        """Whether the process has been stopped by a signal."""
        state, *_ = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return state == "T"

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Wait for the end; return exit code and output. Kill it and raise TimeoutError after PATIENCE seconds."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            raise TimeoutError(f"{self.arguments} took more than {PATIENCE} s")
        printed = [(self._outputs / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(self.arguments, self._process.exitcode or 0, *printed)


def _run(
    command: list[str], folder: Path, environment: dict[str, str], outputs: Path, stop_at: str | None = None
) -> None:
    """Do in the forked process what `python script …` would do; write stdout and stderr to files in `outputs`."""

    still_running = True

    def stop(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal still_running
        if still_running and event in PATHS and Path(str(arguments[PATHS[event]])).name == stop_at:
            still_running = False
            os.kill(os.getpid(), signal.SIGSTOP)

    gc.freeze()  # a collection would touch, and so copy, every page of the libraries that the processes share
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(outputs / name, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = [str(ROOT / command[0]), *command[1:]]
    sys.path.insert(0, str(ROOT))
    if stop_at:
        sys.addaudithook(stop)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing skips exit handlers, and W&B stops its service in one
