"""Find studies, their arms and the points of these under `multirun/`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from coig.config.fields import MULTIRUN, is_packed
from coig.config.names import is_plain
from coig.errors import ConfigError, suggestion
from coig.study.arm import Arm
from coig.study.points import Point, list_points
from coig.study.roster import Contestant, Roster


def find_study(name: str | None) -> Path:
    """Return a study's folder; without a name, that of the study in which a manifest was written last.

    For the path of a packed study, unpack it and return its folder. Raises ConfigError if there is no such study.
    """
    if name and is_packed(name):
        from coig.study.packed import unpack  # here, as it needs SQLAlchemy, whose import takes a third of a second

        return unpack(Path(name))
    trained = {manifest.parent.parent for manifest in MULTIRUN.glob("*/*/manifest.json")}
    if not trained:
        raise ConfigError(f"no study in {MULTIRUN.absolute()}: train one first, python train.py")
    if name is None:
        return max(trained, key=last_change)
    if MULTIRUN / name not in trained:
        raise ConfigError(f"study={name}: no such study" + suggestion(name, sorted(s.name for s in trained)))
    return MULTIRUN / name


def last_change(study: Path) -> tuple[float, str]:
    """Return when a study's manifests were last written, in seconds since 1970, and its name, which orders equal times.

    Times are equal where studies were copied, or trained within one tick of the file system's clock.
    """
    return max(file.stat().st_mtime for file in study.glob("*/manifest.json")), study.name


def find_arms(study: Path, names: tuple[str, ...] | None) -> list[Arm]:
    """Return a study's arms, or those of these `names`, by growing amount of general data, general data alone last.

    Only folders with a manifest are arms; a study may have none.

    Raises ConfigError if a name is unknown, or that of a point.
    """
    arms = [Arm(file.parent) for file in study.glob("*/manifest.json")]
    arms.sort(key=lambda arm: Contestant(arm.name, arm.manifest().ratio).order)
    known = [arm.name for arm in arms]
    if unknown := [name for name in names or () if name not in known]:
        if point := _points_of(arms).get(unknown[0]):
            raise ConfigError(
                f"arms: {point.name} is a point of study {study.name}, and here points go with their arm; name "
                f"{point.arm.name}"
            )
        raise _unknown(study, unknown[0], arms)
    return [arm for arm in arms if names is None or arm.name in names]


def _unknown(study: Path, name: str, arms: list[Arm]) -> ConfigError:
    """Return the error that says that a study has no arm or point of this name, and which names are known."""
    of_arm, at, share = name.rpartition("@")
    for arm in arms:
        if arm.name == of_arm:
            has = ", ".join(point.name for point in list_points(arm)) or "none; trainer.answer_at keeps them"
            return ConfigError(f"arms: {of_arm} of study {study.name} has no point @{share}; its points: {has}")
    known = [arm.name for arm in arms] + (list(_points_of(arms)) if at else [])
    return ConfigError(f"arms: {name} is no arm of study {study.name}" + suggestion(name, known))


def _points_of(arms: Iterable[Arm]) -> dict[str, Point]:
    """Return the points of arms by name."""
    return {point.name: point for arm in arms for point in list_points(arm)}


def list_all_points(study: Path) -> dict[str, Point]:
    """Return the points of all arms of a study by name."""
    return _points_of(find_arms(study, None))


def find_named(study: Path, names: tuple[str, ...] | None) -> list[Arm]:
    """Do what `find_arms` does, for names of arms and of points; return named points after the arms.

    Without `names`, no points are returned.
    """
    points, rest = _split_names(study, names)
    return [*find_arms(study, rest), *points]


def _split_names(study: Path, names: tuple[str, ...] | None) -> tuple[list[Point], tuple[str, ...] | None]:
    """Return the points among `names`, each once, and the names of arms; ([], None) for None.

    Raises ConfigError if a name is unknown.
    """
    if names is None:
        return [], None
    arms = find_arms(study, None)
    points, known = _points_of(arms), [arm.name for arm in arms]
    if unknown := [name for name in names if name not in (*known, *points)]:
        raise _unknown(study, unknown[0], arms)
    named = [points[name] for name in dict.fromkeys(names) if name in points]
    return named, tuple(name for name in names if name not in points)


def is_arm(name: str) -> bool:
    """Tell whether a name is that of an arm or point, STUDY/ARM, rather than of a study or a packed study's path."""
    return "/" in name and not is_packed(name)


def find_arm(name: str) -> Arm:
    """Return the arm that is named as STUDY/ARM. Raises ConfigError if there is no such study or arm."""
    study, _, arm = name.rpartition("/")
    return find_arms(find_study(study), (arm,))[0]


def find_arm_or_point(name: str) -> Arm:
    """Return the arm or point that is named as STUDY/ARM or STUDY/ARM@SHARE. Raises ConfigError if there is none."""
    study, _, one = name.rpartition("/")
    return find_named(find_study(study), (one,))[0]


def find_done_arms(study: Path, names: tuple[str, ...] | None) -> tuple[list[Arm], list[str]]:
    """Return a study's arms, or those of `names`, whose training is done, and the names of the others.

    Raises ConfigError if no arm is done, a named one is not, or a name is unknown.
    """
    arms = find_arms(study, names)
    untrained = [arm.name for arm in arms if arm.manifest().status != "done"]
    if untrained and (names or len(untrained) == len(arms)):
        raise ConfigError(f"arms: {untrained[0]} of study {study.name} is not done; train it first, or leave it out")
    return [arm for arm in arms if arm.name not in untrained], untrained


def find_done(study: Path, names: tuple[str, ...] | None) -> tuple[list[Arm], list[str]]:
    """Do what `find_done_arms` does, for names of arms and of points; return named points after the arms.

    A point is done if its arm is. Without `names`, no points are returned.
    """
    points, rest = _split_names(study, names)
    find_done_arms(study, tuple(point.arm.name for point in points))
    arms, untrained = find_done_arms(study, rest)
    return [*arms, *points], untrained


def make_roster(arms: Iterable[Arm]) -> Roster:
    """Return the roster of arms, with their ratios from the manifests."""
    return Roster.of(Contestant(arm.name, arm.manifest().ratio, is_plain(arm.config())) for arm in arms)
