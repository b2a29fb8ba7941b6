"""Upload a study's offline runs to Weights & Biases: python -m coig.study upload STUDY

A run that was stopped and resumed lies in several parts, or lacks what a killed process had not written yet. It is sent
from metrics.jsonl, which has each step once. Other runs are sent by `wandb sync`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from coig.config.stored import dump_config
from coig.config.trust import check_trusted
from coig.errors import ConfigError
from coig.files.atomic import read_jsonl
from coig.study.arm import Arm
from coig.study.find import find_arms, find_study
from coig.study.tracking import OF_ONE_MOMENT, is_wandb, logged_run, prepare_wandb

STEP = "trainer/global_step"  # the name under which Lightning logs a row's step


def upload(names: Sequence[str]) -> None:
    """Upload what W&B lacks of a study's arms; `names` is the study's name.

    Raises ConfigError for other arguments, if nobody is logged in to W&B, or if an upload fails.
    """
    if len(names) != 1:
        raise ConfigError("upload: give one study, python -m coig.study upload STUDY")
    study = find_study(names[0])
    offline = {arm: find_offline_runs(arm) for arm in find_arms(study, None)}
    others = _not_uploaded(study.glob("evaluation/wandb/offline-run-*"))
    if not others and not any(offline.values()):
        print(f"{study}: nothing to upload")
        return
    if prepare_wandb():
        raise ConfigError("upload: W&B is not logged in or cannot be reached; wandb login, then run again")
    for arm, folders in offline.items():
        parts = [folder for folder in folders if folder.name.endswith(f"-{arm.manifest().wandb_run}")]
        if parts:
            _send_history(arm)
            _mark_uploaded(parts)
        _sync([folder for folder in folders if folder not in parts])
        if folders:
            print(f"{arm.study}/{arm.name}: uploaded, {len(parts)} parts of its training as one run")
    _sync(others)


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


def _send_history(arm: Arm) -> None:
    """Send the rows of metrics.jsonl that W&B lacks of an arm's run, its settings and manifest, and how it ended.

    Raises ConfigError if the arm has no logger of W&B any more, or one that would send results elsewhere.
    """
    config, manifest = arm.config(), arm.manifest()
    if config.logger is None or not is_wandb(config.logger):
        raise ConfigError(f"{arm.folder}: has runs of W&B, but config.yaml names no logger for it")
    rows = [json.loads(line) for _, line in read_jsonl(arm.metrics)] if arm.metrics.exists() else []
    check_trusted(arm.config_file, {"logger": config.logger}, ())
    with logged_run(config.logger, manifest.wandb_run, arm.folder) as run:
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
