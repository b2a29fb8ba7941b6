"""Upload a study's offline runs to Weights & Biases: python -m coig.study upload STUDY

A run that was stopped and resumed lies in several parts, or lacks what a killed process had not written yet. It is sent
from metrics.jsonl, which has each step once. Other runs are sent by `wandb sync`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from coig.config.stored import dump_config
from coig.config.trust import check_trusted
from coig.errors import ConfigError
from coig.files.atomic import read_objects
from coig.study.arm import Arm, ArmBusyError
from coig.study.find import find_arms, find_study
from coig.study.tracking import OF_ONE_MOMENT, check_online, is_wandb, logged_run

STEP = "trainer/global_step"  # the name under which Lightning logs a row's step
TRUSTED = re.compile(r"trusted=\[?([\w.,]+)\]?")  # `_target_`s of loggers that may have any arguments


def upload(arguments: Sequence[str]) -> None:
    """Upload what W&B lacks of a study's arms; `arguments` are the study's name, and perhaps `trusted=[…]`.

    Skips arms on which another process works. Raises ConfigError for other arguments, if runs would stay offline here,
    or if an upload fails.
    """
    names = [argument for argument in arguments if not TRUSTED.fullmatch(argument)]
    if len(names) != 1:
        raise ConfigError("upload: give one study, python -m coig.study upload STUDY")
    trusted = [name for argument in arguments if (found := TRUSTED.fullmatch(argument)) for name in found[1].split(",")]
    study = find_study(names[0])
    arms = [arm for arm in find_arms(study, None) if find_offline_runs(arm)]
    others = _not_uploaded(study.glob("evaluation/wandb/offline-run-*"))
    if not others and not arms:
        print(f"{study}: nothing to upload")
        return
    check_online()
    for arm in arms:
        try:
            with arm.locked():  # of an arm that is still trained, a part would be marked as all of it
                _upload_arm(arm, trusted)
        except ArmBusyError as error:
            print(f"{error}; then upload again, it was skipped")
    _sync(others)


def _upload_arm(arm: Arm, trusted: Sequence[str]) -> None:
    """Upload the offline runs of an arm, all parts of its training as one run, mark them as uploaded, and say so."""
    folders = find_offline_runs(arm)
    parts = [folder for folder in folders if folder.name.endswith(f"-{arm.manifest().wandb_run}")]
    if parts:
        _send_history(arm, trusted)
        _mark_uploaded(parts)
    _sync([folder for folder in folders if folder not in parts])
    print(f"{arm.study}/{arm.name}: uploaded, {len(parts)} parts of its training as one run")


def find_offline_runs(arm: Arm) -> list[Path]:
    """Return the folders of an arm's runs that were not uploaded, the earliest first."""
    return _not_uploaded(arm.folder.glob("wandb/offline-run-*"))


def _not_uploaded(folders: Iterable[Path]) -> list[Path]:
    """Return those of W&B's folders, sorted, that lack the mark of `wandb sync`."""
    return sorted(folder for folder in folders if not any(folder.glob("*.synced")))


def _mark_uploaded(folders: Sequence[Path]) -> None:
    """Leave in each folder the mark of `wandb sync`."""
    for file in (file for folder in folders for file in folder.glob("*.wandb")):
        file.with_name(f"{file.name}.synced").touch()


def _send_history(arm: Arm, trusted: Sequence[str]) -> None:
    """Send to an arm's W&B run the rows of metrics.jsonl that it lacks, settings and manifest, and how the run ended.

    Raises ConfigError if the arm has no W&B logger any more, if the logger would send results elsewhere and is not
    among the `trusted`, or if the run stays offline.
    """
    config, manifest = arm.config(), arm.manifest()
    if config.logger is None or not is_wandb(config.logger):
        raise ConfigError(f"{arm.folder}: has runs of W&B, but config.yaml names no logger for it")
    rows = [row for _, row in read_objects(arm.metrics)] if arm.metrics.exists() else []
    check_trusted(arm.config_file, {"logger": config.logger}, trusted)
    with logged_run(config.logger, manifest.wandb_run, arm.folder) as run:
        if run.offline or run.disabled:
            raise ConfigError(f"{arm.folder}: W&B keeps its run offline, so nothing was uploaded; run again")
        run.config.update(dump_config(config), allow_val_change=True)
        run.config.update({"manifest": manifest.model_dump(exclude=OF_ONE_MOMENT)}, allow_val_change=True)
        for row in rows[run.starting_step :]:
            run.log({STEP if key == "step" else key: value for key, value in row.items()})
        run.finish(exit_code=int(manifest.status != "done"))


def _sync(folders: Sequence[Path]) -> None:
    """Let W&B's own command upload runs. Raises ConfigError if it fails."""
    for folder in folders:
        command = [sys.executable, "-m", "wandb", "sync", str(folder)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise ConfigError(f"{folder}: `wandb sync` failed; it says: {(run.stderr or run.stdout).strip()}")
