"""Run a command safely: output never fails, expected errors are one line, and workers end with their command."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TextIO, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from coig.errors import ConfigError, system_problem
from coig.files.processes import start_of

Result = TypeVar("Result")
POLL, GRACE = 0.1, 60  # seconds: between looks at the command, and from SIGTERM to exit, in which a step ends
PREEMPTED = 75  # exit code of a run that wrote a checkpoint as a signal asked it to: sysexits.h says "try again"
SUBMITIT = ("LocalLauncher", "SlurmLauncher")  # those that start a process for each job, and look only at its result
ON_THIS_MACHINE = ("JoblibLauncher", "LocalLauncher")  # Hydra's launchers whose workers run beside the command
COMMAND = "COIG_COMMAND"  # the environment variable that tells a command's workers its process id
OVERRIDES = "COIG_OVERRIDES"  # the environment variable that tells an arm's processes the overrides of its job, as JSON
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
        """Write text and return its length; if writing fails, discard this text and all further output."""
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

    A ConfigError, a deleted working folder, or an error that `system_problem` knows, such as a full disk or a lack of
    memory, exits with a message and code 1, Ctrl-C with code 130. Other errors propagate. Output stays shielded, and
    COIG_COMMAND set to this process's id, afterwards.
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


def run_tool(main: Callable[[Sequence[str]], None]) -> None:
    """Call a tool's `main` with the command line's arguments; errors that users can mend exit with one message.

    With `-h` or `--help` among them, print the text of its module instead.
    """
    with guarded():
        if {"-h", "--help"} & set(sys.argv[1:]):
            print((sys.modules[main.__module__].__doc__ or "").rstrip())
            return
        main(sys.argv[1:])


def _check_folder() -> None:
    """Raise ConfigError if the current folder has been deleted."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the current folder has been deleted; change to another one, then run again") from None


def job(run: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Wrap a job for Hydra, which calls it in this process or in a launcher's worker.

    In a worker, output is made safe, and a worker on this machine ends with its command. A ConfigError, or an error
    that `system_problem` knows, ends a single job with its message alone; in a sweep it is raised as an error of
    Hydra's, which names the job too, goes on with the others, and exits with 1. A submitit job that failed exits
    with 1; one that was preempted, but not by SIGTERM, has itself queued again. The job's overrides stay in
    COIG_OVERRIDES.
    """

    @wraps(run)
    def guarded_run(cfg: DictConfig) -> Result:
        """Run the job, prepared for a worker if this process is one; raise expected errors as Hydra's."""
        os.environ[OVERRIDES] = json.dumps(list(HydraConfig.get().overrides.task))
        launcher = HydraConfig.get().launcher
        in_job = command != os.getpid() and launcher._target_.endswith(SUBMITIT)
        if command != os.getpid():
            shield_output()
            if launcher._target_.endswith(ON_THIS_MACHINE):
                end_with(int(os.environ[COMMAND]))
            if launcher._target_.endswith(UNLIMITED):
                os.environ.setdefault("OMP_NUM_THREADS", str(launcher.cpus_per_task))
        ends = JobsEnd() if in_job else None
        try:
            return run(cfg)
        except Preempted as stop:
            if ends and stop.signal != signal.SIGTERM:  # SIGTERM ends a job, or SLURM itself queues it again
                ends.queue_again()
            raise
        except Exception as error:
            if ends:
                ends.failed = True
            if problem := str(error) if isinstance(error, ConfigError) else system_problem(error):
                if not is_swept() and os.environ.get("HYDRA_FULL_ERROR") != "1":
                    sys.exit(problem)
                raise CompactHydraException(problem) from error
            raise

    return guarded_run


class Preempted(SystemExit):
    """A signal asked a run to stop, and its checkpoint is written: the process exits with PREEMPTED."""

    def __init__(self, number: int) -> None:
        super().__init__(PREEMPTED)
        self.signal = number


class JobsEnd:
    """How a job of submitit ends: with exit code 1 if it `failed`, so that SLURM sees it; or queued again."""

    def __init__(self) -> None:
        self.failed = False
        atexit.register(self._exit)  # before libraries register their own, which run first

    def _exit(self) -> None:
        """Exit with 1 if the job failed, now that its result is written: submitit itself exits with 0."""
        if self.failed:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)

    def queue_again(self) -> None:
        """Call submitit's handler of SIGUSR2, which queues the job again and exits; do nothing if none is set."""
        handler = signal.getsignal(signal.SIGUSR2)
        if callable(handler):
            handler(signal.SIGUSR2, None)


def is_swept() -> bool:
    """Tell whether this process works on a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def read_overrides() -> tuple[str, ...] | None:
    """Return the overrides of the job that this process works on; None if it is no job of Hydra's."""
    overrides = os.environ.get(OVERRIDES)
    return None if overrides is None else tuple(json.loads(overrides))


def end_with(process: int) -> None:
    """Start a thread that ends this process once the process with the id `process` has ended, at once if it had before.

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
