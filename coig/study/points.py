"""The points of an arm: the models that it was after shares of its steps (`trainer.answer_at`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coig.study.arm import Arm
from coig.study.find import find_arms, find_done_arms
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
    def study(self) -> str:
        """Return the study's name."""
        return self.arm.study

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


def list_all_points(study: Path) -> dict[str, Point]:
    """Return the points of all arms of a study by name."""
    return {point.name: point for arm in find_arms(study, None) for point in list_points(arm)}


def find_named(study: Path, names: tuple[str, ...] | None) -> list[Arm]:
    """Do what `find_arms` does, for names of arms and of points; return named points after the arms.

    Without `names`, no points are returned.
    """
    points, rest = _split_names(study, names)
    return [*find_arms(study, rest), *points]


def find_done(study: Path, names: tuple[str, ...] | None) -> tuple[list[Arm], list[str]]:
    """Do what `find_done_arms` does, for names of arms and of points; return named points after the arms.

    A point is done if its arm is. Without `names`, no points are returned.
    """
    points, rest = _split_names(study, names)
    find_done_arms(study, tuple(point.arm.name for point in points))
    arms, untrained = find_done_arms(study, rest)
    return [*arms, *points], untrained


def _split_names(study: Path, names: tuple[str, ...] | None) -> tuple[list[Point], tuple[str, ...] | None]:
    """Return the points among `names`, each once, and the other names; ([], None) for None."""
    points = list_all_points(study) if names else {}
    named = [points[name] for name in dict.fromkeys(names or ()) if name in points]
    return named, names and tuple(name for name in names if name not in points)


def with_points(arms: Iterable[Arm]) -> list[Arm]:
    """Return arms and points, each once, each arm followed by all of its points."""
    every = [one for arm in arms for one in ((arm,) if isinstance(arm, Point) else (arm, *list_points(arm)))]
    return list({one.name: one for one in every}.values())
