"""Tell how far a study's arms are, from their files alone: whatever launcher trains them, and on whatever host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

from coig.errors import DataError
from coig.files.atomic import parse_object, read_jsonl
from coig.files.lock import describe_holder
from coig.study.arm import LOCK, Arm
from coig.study.manifest import INTERRUPTED, Manifest
from coig.study.sweep import failed_since, find_failed, read_sweep

# waiting: it has not begun. starting: a process prepares it. stopped: it can be continued, and no process works on it
State = Literal["waiting", "starting", "running", "stopped", "failed", "done"]
RECENT = 20  # steps whose median time tells how long the next ones take


@dataclass(frozen=True)
class Logged:
    """What an arm has logged: optimizer steps taken, the last losses, and the seconds of a recent step."""

    steps: int = 0
    loss: float | None = None
    validation: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far an arm is; `steps` is None before they are known, `left` where it cannot be told.

    left: seconds until it is trained.
    error: why it failed.
    """

    arm: str
    state: State
    steps: int | None = None
    logged: Logged = Logged()
    left: float | None = None
    took: float | None = None  # seconds, of an arm that is done
    error: str | None = None


def look_at(study: Path) -> list[Progress]:
    """Return the progress of a study's arms: those of its last sweep in their order, then the others by name."""
    folders = {file.parent.name for name in ("manifest.json", LOCK) for file in study.glob(f"*/{name}")}
    sweep = read_sweep(study)
    swept = [_look_at_arm(Arm(study / name), sweep.began) for name in sweep.arms]
    return swept + [_look_at_arm(Arm(study / name), "") for name in sorted(folders - {*sweep.arms})]


def has_ended(study: Path, arms: Sequence[Progress]) -> bool:
    """Tell whether a study's arms, as `look_at` gives them, have ended, or begin no more after one has failed.

    Without arms it is true. A stopped arm has not ended, unless failures=stop and an arm of the sweep has failed.
    """
    states = {arm.state for arm in arms}
    if states <= {"done", "failed"}:
        return True
    stops = read_sweep(study).failures == "stop" and find_failed(study) is not None
    return stops and not states & {"starting", "running"}


def _look_at_arm(arm: Arm, began: str) -> Progress:
    """Return an arm's progress; an arm that failed before its sweep began (ISO 8601) is waiting for the sweep."""
    is_held = describe_holder(arm.folder / LOCK) is not None
    if not arm.is_known:
        early = arm.early_failure
        if early and not is_held and failed_since(arm, began):
            return Progress(arm.name, "failed", error=early.error)
        return Progress(arm.name, "starting" if is_held else "waiting")
    manifest = arm.manifest()
    state = _state_of(manifest, is_held=is_held)
    if state == "failed" and not failed_since(arm, began):
        return Progress(arm.name, "waiting")
    logged = read_logged(arm.metrics)
    steps = manifest.training.steps if manifest.training else None
    left = None
    if state == "running" and steps and logged.seconds is not None:
        left = max(0, steps - logged.steps) * logged.seconds
    error = manifest.error if state == "failed" else None
    took = manifest.times.seconds if state == "done" else None
    return Progress(arm.name, state, steps, logged, left, took, error)


def _state_of(manifest: Manifest, *, is_held: bool) -> State:
    """Return an arm's state; `is_held` says whether a process works on it.

    Without a process, a manifest that says "running", as after a kill, or "interrupted" means stopped. With one, a
    manifest that says "failed" means starting.
    """
    if is_held and manifest.status != "done":
        return "running" if manifest.status == "running" else "starting"
    if manifest.status == "running" or manifest.error == INTERRUPTED:
        return "stopped"
    return manifest.status


def read_logged(file: Path) -> Logged:
    """Return what metrics.jsonl says last, zero steps without a file; an unchanged file is read once.

    Raises DataError for a damaged line among those that are read.
    """
    try:
        status = file.stat()
    except FileNotFoundError:
        return Logged()
    return _read_logged(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _read_logged(file: Path, modified: int, size: int) -> Logged:
    """Do the work of `read_logged`; `modified` and `size` only make the cache notice that the file has changed."""
    lines = list(read_jsonl(file))
    steps = _find_last(file, lines, "train/loss", RECENT)
    validations = _find_last(file, lines, "validation/loss", 1)
    seconds = [step["perf/seconds"] for step in steps if isinstance(step.get("perf/seconds"), int | float)]
    return Logged(
        steps=steps[-1]["step"] + 1 if steps else 0,
        loss=steps[-1]["train/loss"] if steps else None,
        validation=validations[-1]["validation/loss"] if validations else None,
        seconds=median(seconds) if seconds else None,
    )


def _find_last(file: Path, lines: Sequence[tuple[int, str]], key: str, count: int) -> list[dict[str, Any]]:
    """Return the last `count` rows that have a key, in their order; other lines are not parsed.

    Args:
        lines: each with its number.

    Raises DataError for a damaged line, or one in which the key or `step` is no number.
    """
    wanted = (place for place in reversed(lines) if f'"{key}"' in place[1])
    rows = []
    for number, line in islice(wanted, count):
        row = parse_object(line, file, number)
        if not all(isinstance(row.get(name), int | float) for name in ("step", key)):
            raise DataError(f"{file}:{number}: step or {key} is no number; mend or remove the line")
        rows.append(row)
    return rows[::-1]


def estimate_left(arms: Sequence[Progress]) -> float | None:
    """Estimate in how many seconds all arms are trained; None if that cannot be told, 0.0 if none is left.

    Arms that have not begun, or are stopped, count as the mean of the others; as many as now are trained at a time.
    """
    running = [one for one in arms if one.state in ("running", "starting")]
    later = [one for one in arms if one.state in ("waiting", "stopped")]
    if not running and not later:
        return 0.0
    known = [one.took for one in arms if one.took is not None]
    known += [one.steps * one.logged.seconds for one in running if one.steps and one.logged.seconds is not None]
    if not known:
        return None
    left = [mean(known) if one.left is None else one.left for one in (*running, *later)]
    return max(max(left), sum(left) / max(1, len(running)))
