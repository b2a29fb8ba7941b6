"""Say how to train an arm again, and what is different today; do it on request: coig study rerun STUDY/ARM [--run]."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.config.differences import list_differences
from coig.config.fields import MULTIRUN, local_path
from coig.config.overrides import format_override
from coig.config.stored import dump_config
from coig.display.terminal import strip_controls
from coig.errors import ConfigError
from coig.files.atomic import sha256_of
from coig.study.arm import Arm
from coig.study.compare import compare
from coig.study.comparison import describe_code
from coig.study.find import find_arm, is_arm
from coig.study.manifest import Manifest
from coig.study.packed import PACKED
from coig.study.points import with_points
from coig.study.provenance import PACKAGES, collect_provenance

RUN = "--run"
REPLACED = ("study=", "arm=", "resume=", "overwrite=", "launcher=", "sweeper=")  # overrides that a rerun sets anew
NOT_FROM_PIP = ("coig", "python")  # a checkout, and the interpreter
SHOWN = 12  # packages with other versions that are named


def rerun(arguments: Sequence[str]) -> None:
    """Print what training an arm again needs and what is different today; with `--run`, train it in another study.

    Raises ConfigError for other arguments and, with `--run`, if the arm cannot be trained again or was before.
    """
    names = [argument for argument in arguments if argument != RUN]
    if len(names) != 1 or not is_arm(names[0]):
        raise ConfigError(f"rerun: name one arm as STUDY/ARM, and add {RUN} to train it again")
    arm = find_arm(names[0])
    manifest, again = arm.manifest(), Arm(MULTIRUN / f"{arm.study}-rerun" / arm.name)
    command = _make_command(manifest, again)
    print(strip_controls("\n".join(_describe_needs(arm, manifest, command))))
    changes = list(_find_changes(arm, manifest))
    print("\nToday differs:" if changes else "\nNothing that is recorded differs today.")
    print(strip_controls("".join(f"  - {change}\n" for change in changes)), end="")
    if RUN in arguments:
        _run(arm, again, command)


def _make_command(manifest: Manifest, again: Arm) -> list[str] | None:
    """Return the arguments of train.py that train the arm again, as `again`; None if they were not recorded.

    Recorded overrides of study, arm, resume, overwrite, launcher and sweeper are left out.
    """
    if manifest.command is None:
        return None
    kept = [override for override in manifest.command if not override.startswith(REPLACED)]
    return [*kept, format_override("study", again.study), format_override("arm", again.name)]


def _describe_needs(arm: Arm, manifest: Manifest, command: list[str] | None) -> Iterator[str]:
    """Yield the lines that say which code, packages, data and command the arm was trained with."""
    yield f"{arm.folder}: {manifest.status}, {manifest.times.started or 'at an unknown time'}"
    git = manifest.git
    yield f"\nCode: {f'git checkout {git.revision}' if git else 'its revision is not recorded'}"
    if git and git.diff:
        yield f"with these changes, which were not committed (manifest.json: git.diff):\n{git.diff}"
    if git and git.untracked:
        yield f"with files that git did not know: {', '.join(git.untracked)}"
    named = manifest.packages or {name: version for name, version in manifest.versions.items() if version}
    python = manifest.versions.get("python")
    wanted = " ".join(shlex.quote(f"{name}=={version}") for name, version in named.items() if name not in NOT_FROM_PIP)
    yield f"\nPackages, with Python {python}:\npip install {wanted}"
    yield f"\nData: {manifest.data.name}, ratio {manifest.data.ratio}, fingerprint {manifest.data.fingerprint}"
    for source in manifest.data.sources:
        for file in source.files:
            yield f"  {source.pool}: {file.get('path')}, sha256 {file.get('sha256')}"
    shown = shlex.join(["python", "train.py", *command]) if command else "not recorded by the version that trained it"
    yield f"\nCommand: {shown}"


def _find_changes(arm: Arm, manifest: Manifest) -> Iterator[str]:
    """Yield what is different today from when the arm was trained: code, packages, settings, files of data."""
    today = Manifest.model_validate(manifest.model_dump() | collect_provenance({}))
    code, now = describe_code(manifest.git), describe_code(today.git)
    for key in code | now:
        if code.get(key) != now.get(key):
            yield f"{key}: {code.get(key)} → {now.get(key)}"
    if others := _find_other_packages(manifest, today):
        rest = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        yield f"packages: {', '.join(others[:SHOWN])}{rest}"
    yield from _find_changed_settings(arm, manifest)
    if not _is_of_stranger(arm):  # a manifest that anybody wrote could have any file of this machine read
        for file in (file for source in manifest.data.sources for file in source.files):
            yield from _find_changed_file(local_path(str(file.get("path"))), file.get("sha256"))


def _find_other_packages(manifest: Manifest, today: Manifest) -> list[str]:
    """Return the packages with another version today, as `name old → new`, those that matter most first.

    New ones count only if the arm's manifest has the full list.
    """
    before, now = manifest.packages | manifest.versions, today.packages | today.versions
    names = before.keys() | (now.keys() if manifest.packages else ())
    ordered = sorted(names, key=lambda name: (name not in before, name not in PACKAGES, name))
    return [f"{name} {before.get(name)} → {now.get(name)}" for name in ordered if before.get(name) != now.get(name)]


def _find_changed_settings(arm: Arm, manifest: Manifest) -> Iterator[str]:
    """Yield the settings that the arm's command would give other values today, or that it cannot be composed.

    Yields nothing if the command was not recorded, or if the arm is of a packed study.
    """
    if manifest.command is None or _is_of_stranger(arm):
        return
    try:
        composed = config_of("train", TrainConfig, list(manifest.command))
    except ConfigError as error:
        yield f"the command is refused: {error}"
        return
    yield from list_differences(dump_config(arm.config()), dump_config(composed))


def _find_changed_file(file: Path, sha256: str | None) -> Iterator[str]:
    """Yield that a file of data is missing or has another content than `sha256`; else nothing.

    With `sha256` None, only a missing file is noticed.
    """
    if not file.is_file():
        yield f"{file}: no such file"
    elif sha256 not in (None, found := sha256_of(file)):
        yield f"{file}: has another content (sha256 {found})"


def _is_of_stranger(arm: Arm) -> bool:
    """Tell whether an arm is of a packed study, whose overrides may come from anybody."""
    return PACKED in arm.folder.parents


def _run(arm: Arm, again: Arm, command: Sequence[str] | None) -> None:
    """Train the arm again as `again`, and print whether both have the same weights, or else in what they differ.

    The weights of their points are compared too.

    Raises ConfigError if the command was not recorded, is a stranger's, was run before, or fails.
    """
    if command is None:
        raise ConfigError(f"{arm.folder}: has no command in its manifest.json; train.py with its settings trains it")
    if _is_of_stranger(arm):
        raise ConfigError(
            f"{arm.folder}: is of a packed study, whose commands are not run; read it, and run it yourself"
        )
    if again.is_known:  # train.py would skip an arm that is done
        remove = shlex.join(["python", "-m", "coig.study", "rm", again.study, again.name])
        raise ConfigError(f"{again.folder}: was trained again before; {remove} deletes it, then run this again")
    print(f"\nTraining {again.folder}", flush=True)
    if subprocess.run([sys.executable, "-m", "coig", "train", *command]).returncode:
        raise ConfigError(f"{again.folder}: was not trained; the message is above")
    before, after = ({one.name: one.manifest().model_sha256 for one in with_points([which])} for which in (arm, again))
    others = [name for name in before if before[name] != after.get(name)]
    if not others:
        print(f"{again.folder}: has the very weights of {arm.folder}{', points included' if len(before) > 1 else ''}")
        return
    print(f"{again.folder}: has other weights than {arm.folder} ({', '.join(others)}); what may explain it:")
    compare([f"{arm.study}/{arm.name}", f"{again.study}/{again.name}"])
