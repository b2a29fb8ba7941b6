"""Decide from an arm's folder whether to train it from scratch, resume it or skip it."""

from __future__ import annotations

import errno
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coig.config import TrainConfig
from coig.config.differences import list_differences
from coig.config.stored import dump_config
from coig.errors import ConfigError
from coig.files.secrets import fold_home
from coig.study.arm import Arm
from coig.study.manifest import Manifest

if TYPE_CHECKING:
    from coig.data.encoded import EncodedSet

State = Literal["new", "unfinished", "done"]


def decide_state(arm: Arm, config: TrainConfig, fingerprint: str, like: str | None = None) -> State:
    """Return whether an arm is "new" (train from scratch), "unfinished" (resume) or "done" (skip).

    An arm that is not done and has no checkpoint is "new", too.

    Args:
        fingerprint: identifies the data that `config` asks for.
        like: identifies the data of the arm whose budget this one copies; None if it copies none.

    Raises ConfigError if the folder holds another configuration or other data, except that `resume` permits more epochs
    and `overwrite` anything. Raises it too for a damaged checkpoint, a model without a manifest, and a done arm that
    shall be trained longer but has no checkpoint.
    """
    if config.overwrite:
        return "new"
    manifest = arm.manifest() if arm.is_known else None
    checkpoint = arm.checkpoint
    if not manifest and (arm.model.exists() or checkpoint):
        raise ConfigError(f"{arm.folder}: holds a model without manifest.json; overwrite=true trains it anew")
    if not manifest or (manifest.status != "done" and not checkpoint):
        return "new"
    trained = arm.config()
    changed = _list_changes(trained, manifest, config, fingerprint, like)
    only_epochs = all(line.startswith("trainer.max_epochs:") for line in changed)
    if changed and not (config.resume and only_epochs and is_longer(config, trained)):
        raise ConfigError(
            f"{arm.folder} holds an arm with other settings:\n  - " + "\n  - ".join(changed) + "\n"
            "give this run a place of its own (study=… or arm=…), or start anew with overwrite=true; "
            "resume=true continues with more epochs only"
        )
    if manifest.status == "done" and arm.model.exists() and not changed:
        return "done"
    return _decide_resumption(arm)


def _list_changes(
    trained: TrainConfig, manifest: Manifest, config: TrainConfig, fingerprint: str, like: str | None
) -> list[str]:
    """Return, a line each, the settings and data that differ between a trained arm and a config, and affect results.

    `fingerprint` and `like` are those of `decide_state`.
    """
    same_data = manifest.data.fingerprint == fingerprint
    same_like = (manifest.training.like if manifest.training else None) == like
    changed = list_differences(dump_config(trained), fold_home(dump_config(config)), same_data=same_data and same_like)
    if not same_data:
        changed.append("the data themselves (fingerprint)")
    if not same_like:
        changed.append("the data of the arm that budget.like names (fingerprint)")
    if manifest.status == "done" and not is_longer(config, trained):  # else `check_points` looks at them
        kept, wanted = trained.trainer.answer_at, config.trainer.answer_at
        if set(wanted) - {*kept, 1.0}:
            changed.append(f"trainer.answer_at: {list(kept)} → {list(wanted)} (a trained arm gets no further points)")
    return changed


def is_longer(config: TrainConfig, trained: TrainConfig) -> bool:
    """Tell whether a config asks for more epochs than an arm was trained with."""
    return config.trainer.max_epochs > trained.trainer.max_epochs


def _decide_resumption(arm: Arm) -> State:
    """Return "unfinished" if there is a checkpoint to go on from, "new" if there is neither checkpoint nor model.

    Raises ConfigError for a damaged checkpoint, or a model without one.
    """
    if not arm.checkpoint:
        if arm.model.exists():
            raise ConfigError(
                f"{arm.folder}: has no checkpoint any more, so it cannot be trained longer; overwrite=true trains it "
                "anew"
            )
        return "new"
    if not is_sound(arm.checkpoint):
        raise ConfigError(f"{arm.checkpoint}: damaged; overwrite=true trains this arm anew")
    return "unfinished"


def check_encoding(arm: Arm, train: EncodedSet) -> None:
    """Raise ConfigError if the run that `train` would continue encoded the same data as other tokens.

    Another version of coig or of a library may do so. Versions that recorded no fingerprint of the tokens recorded
    their numbers, which are compared instead.
    """
    data = arm.manifest().data
    recorded = {(one.kind, one.lang, one.source): (one.tokens, one.supervised_tokens) for one in data.train}
    numbers = {
        (one["kind"], one["lang"], one["source"]): (one["tokens"], one["supervised_tokens"]) for one in train.groups
    }
    if recorded != numbers or data.token_fingerprint not in (None, train.fingerprint):
        raise ConfigError(
            f"{arm.folder}: cannot be continued, because this version of coig or of its libraries turns the same data "
            "into other tokens; install the versions in its manifest.json, or overwrite=true trains it anew"
        )


def is_sound(checkpoint: Path) -> bool:
    """Tell whether a checkpoint is complete.

    A file is a zip archive with checksums. A folder is complete with `.metadata`, which torch writes last. Raises
    OSError if there is no such checkpoint.
    """
    if checkpoint.is_dir():
        return (checkpoint / ".metadata").exists()
    try:
        with zipfile.ZipFile(checkpoint) as parts:
            return parts.testzip() is None
    except OSError as error:
        if error.errno != errno.EINVAL:  # the archive names a place that cannot be
            raise
        return False
    except Exception:  # a damaged archive may raise anything
        return False
