"""Run a command safely: output never fails, expected errors are one line, and workers end with their command."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TextIO, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from omegaconf import DictConfig

from coig.errors import ConfigError, system_problem
from coig.files.processes import start_of

Result = TypeVar("Result")
POLL, GRACE = 0.1, 10  # seconds: between looks at the command, and from SIGTERM to exit
ON_THIS_MACHINE = ("JoblibLauncher", "LocalLauncher")  # Hydra's launchers whose workers run beside the command
COMMAND = "COIG_COMMAND"  # the environment variable that tells a command's workers its process id
UNLIMITED = "LocalLauncher"  # submitit_local, which leaves all cores to each of its jobs; joblib divides them

command: int | None = None  # id of this process once it has been set up as a command or worker


class Output:
    """A text stream whose write and flush never fail.

    Once its reader has closed it or its disk is full, further output is discarded.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the stream."""
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write text, or discard it; return its length."""
        try:
            self.stream.write(text)
        except OSError:
            self._drop()
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write the lines, or discard them."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Flush the stream; if that fails, discard all further output."""
        try:
            self.stream.flush()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        """Redirect the stream's file descriptor to /dev/null, which discards all further output."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


def shield_output() -> None:
    """Make stdout and stderr safe: unknown characters are replaced, and a closed pipe or full disk raises nothing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Output):
            stream.reconfigure(errors="replace")
            setattr(sys, name, Output(stream))


@contextmanager
def guarded() -> Iterator[None]:
    """Run the body of a `with` block as a command: errors that users can mend become one message.

    A ConfigError or a full disk exits with its message and code 1, Ctrl-C with code 130. Other errors propagate. Output
    stays shielded afterwards.
    """
    global command
    command = os.getpid()
    os.environ[COMMAND] = str(command)
    shield_output()
    try:
        _check_folder()
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except ConfigError as error:
        sys.exit(str(error))
    except Exception as error:
        if problem := system_problem(error):
            sys.exit(problem)
        raise


def _check_folder() -> None:
    """Raise ConfigError if the current folder has been deleted."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the current folder has been deleted; change to another one, then run again") from None


def job(run: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Wrap a job for Hydra, which calls it in this process or in a launcher's worker.

    In a worker, output is made safe, and a worker on this machine ends with its command. A ConfigError and a full disk
    are raised as an error of Hydra's, which prints the message alone and exits with 1.
    """

    @wraps(run)
    def guarded_run(cfg: DictConfig) -> Result:
        """Run the job, prepared for a worker if this process is one; raise expected errors as Hydra's."""
        if command != os.getpid():
            shield_output()
            launcher = HydraConfig.get().launcher
            if launcher._target_.endswith(ON_THIS_MACHINE):
                end_with(int(os.environ[COMMAND]))
            if launcher._target_.endswith(UNLIMITED):
                os.environ.setdefault("OMP_NUM_THREADS", str(launcher.cpus_per_task))
        try:
            return run(cfg)
        except Exception as error:
            if problem := str(error) if isinstance(error, ConfigError) else system_problem(error):
                raise CompactHydraException(problem) from error
            raise

    return guarded_run


def end_with(process: int) -> None:
    """Start a thread that ends this process once the process with the id `process` has ended, even if it was killed.

    This process gets SIGTERM first, and exits with code 143 after GRACE seconds.
    """
    global command
    command = os.getpid()  # set here so that a worker with many jobs starts one thread only
    start = start_of(process)

    def watch() -> None:
        """Wait until the other process has ended, then end this one."""
        while start and start_of(process) == start:
            time.sleep(POLL)
        os.kill(os.getpid(), signal.SIGTERM)  # Lightning finishes the step and stops
        time.sleep(GRACE)
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()
