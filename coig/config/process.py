"""What a command needs of its process: output that cannot stop it, one line for what is nobody's bug, and workers that
end with the command that started them."""

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
from omegaconf import DictConfig

from coig.errors import ConfigError, disk_problem

Result = TypeVar("Result")
POLL, GRACE = 0.1, 10  # seconds: to notice that a parent has ended, and to end in good order then
CHILDREN = "JoblibLauncher"  # of Hydra's launchers the one whose workers are children of the command

command: int | None = None  # the process that the user started, if this is it


class Output:
    """A stream whose writing never fails: what its encoding lacks is replaced, and once its reader is gone or its disk
    is full the rest is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            self.stream.write(text)
        except OSError:
            self._drop()
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


def shield_output() -> None:
    """Keep a terminal that lacks a character, a closed pipe and a full disk from stopping the work."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Output):
            stream.reconfigure(errors="replace")
            setattr(sys, name, Output(stream))


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command: what it meets of bad input, full disks and Ctrl-C is one line and the exit code of its kind."""
    global command
    command = os.getpid()
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
        if problem := disk_problem(error):
            sys.exit(problem)
        raise


def _check_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the current folder has been deleted; change to another one, then run again") from None


def job(run: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Let Hydra call `run` in this process or in a launcher's worker, and say in one line that a disk is full."""

    @wraps(run)
    def guarded_run(cfg: DictConfig) -> Result:
        if command != os.getpid():
            shield_output()
            if HydraConfig.get().launcher._target_.endswith(CHILDREN):
                end_with_parent()
        try:
            return run(cfg)
        except Exception as error:
            if problem := disk_problem(error):
                raise ConfigError(problem) from error
            raise

    return guarded_run


def end_with_parent() -> None:
    """End this process once its parent has: a parent that is killed cannot stop it, and it would work on for nobody."""
    global command
    command, parent = os.getpid(), os.getppid()  # said once, though a worker may be given many jobs

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL)
        os.kill(os.getpid(), signal.SIGTERM)  # Lightning ends in good order after the step
        time.sleep(GRACE)
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()
