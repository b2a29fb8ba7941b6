"""Find studies and their arms under `multirun/`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from coig.config.fields import MULTIRUN, is_packed
from coig.config.names import is_plain
from coig.errors import ConfigError, suggestion
from coig.study.arm import Arm
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
        return max(trained, key=lambda folder: max(m.stat().st_mtime for m in folder.glob("*/manifest.json")))
    if MULTIRUN / name not in trained:
        raise ConfigError(f"study={name}: no such study" + suggestion(name, sorted(s.name for s in trained)))
    return MULTIRUN / name


def find_arms(study: Path, names: tuple[str, ...] | None) -> list[Arm]:
    """Return a study's arms, or those of these `names`, by growing amount of general data, general data alone last.

    Only folders with a manifest are arms; a study may have none.

    Raises ConfigError if a name is unknown.
    """
    arms = [Arm(file.parent) for file in study.glob("*/manifest.json")]
    arms.sort(key=lambda arm: Contestant(arm.name, arm.manifest().ratio).order)
    known = [arm.name for arm in arms]
    if unknown := [name for name in names or () if name not in known]:
        raise ConfigError(f"arms: {unknown[0]} is no arm of study {study.name}" + suggestion(unknown[0], known))
    return [arm for arm in arms if names is None or arm.name in names]


def is_arm(name: str) -> bool:
    """Tell whether a name is that of an arm, STUDY/ARM, rather than of a study or the path of a packed study."""
    return "/" in name and not is_packed(name)


def find_arm(name: str) -> Arm:
    """Return the arm that is named as STUDY/ARM. Raises ConfigError if there is no such study or arm."""
    study, _, arm = name.rpartition("/")
    return find_arms(find_study(study), (arm,))[0]


def find_done_arms(study: Path, names: tuple[str, ...] | None) -> tuple[list[Arm], list[str]]:
    """Return a study's arms, or those of `names`, whose training is done, and the names of the others.

    Raises ConfigError if no arm is done, a named one is not, or a name is unknown.
    """
    arms = find_arms(study, names)
    untrained = [arm.name for arm in arms if arm.manifest().status != "done"]
    if untrained and (names or len(untrained) == len(arms)):
        raise ConfigError(f"arms: {untrained[0]} of study {study.name} is not done; train it first, or leave it out")
    return [arm for arm in arms if arm.name not in untrained], untrained


def make_roster(arms: Iterable[Arm]) -> Roster:
    """Return the roster of arms, with their ratios from the manifests."""
    return Roster.of(Contestant(arm.name, arm.manifest().ratio, is_plain(arm.config())) for arm in arms)
