"""Run the commands on a study, and say what they made, so that two runs can be compared."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from coig.files.atomic import sha256_of
from tests.conftest import outside
from tests.forked import Forked, started_ranks
from tests.small_model import SMALL_MODEL

Kept = TypeVar("Kept")
STUDY = "s"
FAST = ("length=fast", f"study={STUDY}", "logger=none", "data.ratio=1k", "data.creative.size=8", "trainer.max_steps=-1")
SMALL = (*FAST, *SMALL_MODEL)
ASK = (f"study={STUDY}", "per_genre=1", "sampling.max_new_tokens=4")
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("train.py", *FAST),
    "generate": ("generate.py", *ASK),
    "evaluate": ("evaluate.py", f"study={STUDY}"),
}
LONGEST = 120  # seconds of a command, then it hangs


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a command: no login, one cache for all trials, and no terminal."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return outside() | {"HOME": str(home), "COIG_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}


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


def run_two_ranks(folder: Path, home: Path, kill_after: float | None) -> tuple[int, str] | None:
    """Train on two processes; kill both after so many seconds, if they still run. Returns what `finish` returns."""
    os.environ["COIG_CACHE"] = str(home / "cache")
    with started_ranks(folder, *FAST, "trainer.devices=2", "trainer.strategy=ddp") as ranks:
        if kill_after is not None:
            time.sleep(kill_after)
            for rank in ranks:
                if rank.poll() is None:
                    rank.kill(signal.SIGKILL)
        ended = [finish(rank) for rank in ranks]
    return None if None in ended else next((one for one in ended if one and one[0]), ended[0])


Results = dict[str, tuple[int, str]]  # file → number of records, and a digest of them


def results(folder: Path) -> Results:
    """Return what the commands have made in a study: weights, losses, answers, tables; nothing of times."""
    study = folder / "multirun" / STUDY
    found: dict[str, list[Any]] = {}
    for file in sorted(study.glob("*/model/model.safetensors")):
        found[str(file)] = [sha256_of(file)]
    for file in sorted(study.glob("*/metrics.jsonl")):
        lines = map(json.loads, file.read_text().splitlines())
        found[str(file)] = [{key: one[key] for key in one if "loss" in key or key == "step"} for one in lines]
    for file in sorted(study.glob("*/generations/*.jsonl")):
        found[str(file)] = sorted(file.read_text(encoding="utf-8").splitlines())
    for file in sorted(study.glob("evaluation/*.parquet")):
        found[str(file)] = pl.read_parquet(file).to_dicts()
    return {name.removeprefix(str(folder)): (len(rows), _digest(rows)) for name, rows in found.items()}


def _digest(rows: list[Any]) -> str:
    """Return a digest of rows."""
    return hashlib.sha256(json.dumps(rows, default=str, sort_keys=True).encode()).hexdigest()[:16]


def compare(found: Results, wanted: Results) -> tuple[str, str]:
    """Return whether results are `equal`, lack a `lost line` or have a `wrong number`, and which file shows it."""
    for name, (count, digest) in wanted.items():
        if name not in found or found[name][0] < count:
            return "lost line", name
        if found[name][1] != digest:
            return "wrong number", name
    return "equal", ""


def kept(file: Path, make: Callable[[], Kept]) -> Kept:
    """Return what `make` returns, from a file if an earlier run has kept it there."""
    if not file.exists():
        file.write_text(json.dumps(make()), encoding="utf-8")
    loaded: Kept = json.loads(file.read_text(encoding="utf-8"))
    return loaded
