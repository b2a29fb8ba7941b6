"""The points of an arm: the models that it was after shares of its steps (`trainer.answer_at`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coig.study.arm import Arm
from coig.study.manifest import Manifest, PointFacts


@dataclass(frozen=True)
class Point(Arm):
    """The model that `arm` was after a share of its steps; it answers queries as an arm does.

    Its folder, in the arm's, holds its model and its answers. Settings, manifest and lock are the arm's.
    """

    arm: Arm
    facts: PointFacts

    @property
    def name(self) -> str:
        """Return the name under which it answers, such as `cw+10k@0.5`."""
        return f"{self.arm.name}@{self.facts.share}"

    @property
    def moment(self) -> str:
        """Return in words when in the arm's training it was, such as `0.5 (step 6 of 12)`."""
        training = self.arm.manifest().training
        return f"{self.facts.share} (step {self.facts.step:,}{f' of {training.steps:,}' if training else ''})"

    @property
    def study_folder(self) -> Path:
        """Return the study's folder."""
        return self.arm.study_folder

    @property
    def config_file(self) -> Path:
        """Return the path of the arm's stored config."""
        return self.arm.config_file

    def manifest(self) -> Manifest:
        """Return the arm's manifest with the point's name and weights. Raises ConfigError if it is damaged."""
        return self.arm.manifest().model_copy(update={"arm": self.name, "model_sha256": self.facts.model_sha256})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the arm while the block runs. Raises ArmBusyError if another process has it."""
        with self.arm.locked():
            yield


def list_points(arm: Arm) -> list[Point]:
    """Return the points of an arm, the earliest first; [] if it kept none."""
    return [Point(arm.point_of(facts.step), arm, facts) for facts in arm.manifest().points]


def with_points(arms: Iterable[Arm]) -> list[Arm]:
    """Return arms and points, each once, each arm followed by all of its points."""
    every = [one for arm in arms for one in ((arm,) if isinstance(arm, Point) else (arm, *list_points(arm)))]
    return list({one.name: one for one in every}.values())
