"""What a sweep's arms need to know of each other: `sweep.json`, the arms in their order, and whether one has failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from coig.config import TrainConfig
from coig.config.fields import MULTIRUN
from coig.errors import ConfigError
from coig.files.atomic import write_atomic
from coig.files.timestamps import now
from coig.study.arm import EARLY, Arm, ArmBusyError, EarlyFailure
from coig.study.manifest import INTERRUPTED

FILE = "sweep.json"


class Sweep(BaseModel):
    """The arms of a sweep by name, when its command began (ISO 8601, UTC), and what it does after a failure."""

    arms: tuple[str, ...] = ()
    began: str = ""
    failures: Literal["continue", "stop"] = "continue"


class NotBegunError(ConfigError):
    """An arm that is not begun because another one has failed."""


def note_sweep(study: Path, arms: Sequence[str], failures: Literal["continue", "stop"] = "continue") -> None:
    """Write which arms a sweep is about to train, and whether it stops if one fails."""
    sweep = Sweep(arms=tuple(arms), began=now(), failures=failures)
    write_atomic(study / FILE, sweep.model_dump_json(indent=2) + "\n")


def read_sweep(study: Path) -> Sweep:
    """Return a study's last sweep; one without arms if there was none, or if the file is damaged."""
    try:
        return Sweep.model_validate_json((study / FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return Sweep()


@contextmanager
def part_of_sweep(config: TrainConfig) -> Iterator[None]:
    """Let the block train an arm of a sweep: not at all if failures=stop and one has failed; note why it fails.

    The reason is noted in the arm's folder only if the arm has no manifest, which says it otherwise. Raises
    NotBegunError if the arm is not begun.
    """
    arm = Arm(MULTIRUN / config.study / config.arm)
    if config.failures == "stop" and (failed := find_failed(arm.study_folder)):
        raise NotBegunError(f"{arm.name}: not begun, as {failed} has failed (failures=stop)")
    try:
        yield
    except ArmBusyError:  # another process trains it
        raise
    except Exception as error:
        if not arm.is_known:
            failure = EarlyFailure(at=now(), error=str(error) or type(error).__name__)
            write_atomic(arm.folder / EARLY, failure.model_dump_json() + "\n")
        raise


def find_failed(study: Path) -> str | None:
    """Return the name of the first arm of a study's last sweep that has failed since the sweep began; None if none has.

    An arm that was interrupted has not failed.
    """
    sweep = read_sweep(study)
    return next((name for name in sweep.arms if failed_since(Arm(study / name), sweep.began)), None)


def failed_since(arm: Arm, began: str) -> bool:
    """Tell whether an arm has failed, and was not only interrupted, since a moment (ISO 8601, UTC; "": ever)."""
    if early := arm.early_failure:
        return early.at >= began
    if not arm.is_known:
        return False
    manifest = arm.manifest()
    failed = manifest.status == "failed" and manifest.error != INTERRUPTED
    return failed and (manifest.times.ended or "") >= began
