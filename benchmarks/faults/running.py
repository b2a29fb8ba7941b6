"""Run the commands on a study, in processes forked from a warm one, and kill them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path
from threading import Timer

from tests.conftest import outside
from tests.forked import PRELOADED, Forked, started_ranks
from tests.small_model import write_small_model

STUDY = "s"
FAST = (
    *("length=fast", f"study={STUDY}", "logger=none", "data.ratio=1k", "data.creative.size=8"),
    *("trainer.max_steps=-1", "trainer.checkpoint_every=2"),
)
ASK = (f"study={STUDY}", "per_genre=1", "sampling.max_new_tokens=4")
LONGEST = 120  # seconds of a command, then it hangs

set_forkserver_preload([*PRELOADED, "coig.annotation.run", "coig.curation.run", "matplotlib.pyplot", "tests.conftest"])


def train(home: Path) -> tuple[str, ...]:
    """Return the command that trains a model so small that it takes seconds; write the model into `home` once."""
    folder = home / "model"
    overrides = f"model.path={folder}", "model.weights=random"
    if not folder.exists():
        folder.mkdir(parents=True)
        overrides = write_small_model(folder)
    return "train.py", *FAST, *overrides


def command_of(stage: str, home: Path) -> tuple[str, ...]:
    """Return the command of a stage that one process runs to its end by itself."""
    return {
        "train": train(home),
        "generate": ("generate.py", *ASK),
        "evaluate": ("evaluate.py", f"study={STUDY}"),
        "curate": ("curate.py", "name=demo", "stage=all"),
    }[stage]


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a command: no login, one cache for all trials, and no terminal."""
    folder = home / "home"
    folder.mkdir(parents=True, exist_ok=True)
    return outside() | {"HOME": str(folder), "COIG_CACHE": str(home / "cache"), "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}


def start(command: Sequence[str], folder: Path, home: Path) -> Forked:
    """Start a command in a folder."""
    return Forked(command[0], command[1:], folder, environment(home))


def finish(process: Forked, seconds: float = LONGEST) -> tuple[int, str] | None:
    """Wait for a command; return its exit code and all that it printed, None if it does not end in time."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > end:
            process.kill()
            process.wait()
            return None
        time.sleep(0.01)
    run = process.wait()
    return run.returncode, run.stdout + run.stderr


def kill_later(processes: Sequence[Forked], seconds: float | None) -> Timer:
    """Kill processes after so many seconds, in a thread that its `cancel` stops; None: never."""

    def kill() -> None:
        """Kill all that have not ended."""
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()

    timer = Timer(1e6 if seconds is None else seconds, kill)
    timer.daemon = True
    timer.start()
    return timer


def run_command(stage: str, folder: Path, home: Path, kill_after: float | None) -> tuple[int, str] | None:
    """Run a stage on one process, killed after so many seconds if it still runs. Returns what `finish` returns."""
    process = start(command_of(stage, home), folder, home)
    timer = kill_later([process], kill_after)
    try:
        return finish(process)
    finally:
        timer.cancel()


def run_two_ranks(folder: Path, home: Path, kill_after: float | None) -> tuple[int, str] | None:
    """Train on two processes, both killed after so many seconds if they still run. Returns what `finish` returns."""
    os.environ["COIG_CACHE"] = str(home / "cache")
    with started_ranks(folder, *train(home)[1:], "trainer.devices=2", "trainer.strategy=ddp") as ranks:
        timer = kill_later(ranks, kill_after)
        ended = [finish(rank) for rank in ranks]
        timer.cancel()
    return None if None in ended else next((one for one in ended if one and one[0]), ended[0])
