"""Locate, read and write the files of an arm's folder, `multirun/<study>/<arm>/`."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from coig.config import TrainConfig
from coig.config.stored import read_config, write_config
from coig.errors import ConfigError, DataError
from coig.files.atomic import read_objects, remove_folder, sha256_of
from coig.files.limits import parse_json, read_whole
from coig.files.lock import LockHeldError, locked
from coig.files.timestamps import modified_at
from coig.records.answer import Answer, read_answers
from coig.study.manifest import Manifest, read_manifest, write_manifest

LOCK = ".lock"
EARLY = "failure.json"  # an `EarlyFailure`
# folders that may be links to another disk
MOVABLE = ("adapter", "checkpoints", "generations", "model", "points", "wandb")


class ArmBusyError(ConfigError):
    """An arm on which another process works."""


class EarlyFailure(BaseModel):
    """When and why an arm of a sweep failed before it had a manifest."""

    at: str  # ISO 8601, UTC
    error: str


@dataclass(frozen=True)
class Arm:
    """The folder of one trained configuration."""

    folder: Path

    @property
    def name(self) -> str:
        """Return the arm's name, which is that of its folder."""
        return self.folder.name

    @property
    def study_folder(self) -> Path:
        """Return the study's folder, the arm's parent."""
        return self.folder.parent

    @property
    def study(self) -> str:
        """Return the study's name, which is that of its folder."""
        return self.study_folder.name

    @property
    def model(self) -> Path:
        """Return the path of the exported model's folder, which need not exist."""
        return self.folder / "model"

    @property
    def checkpoint(self) -> Path | None:
        """Return the path of the last complete checkpoint, a file, or a folder (sharded); None if there is none."""
        return max(self.folder.glob(f"checkpoints/step-{'[0-9]' * 8}.ckpt"), default=None)

    def checkpoint_of(self, step: int) -> Path:
        """Return the path of the checkpoint after `step` optimizer steps, which need not exist."""
        return self.folder / "checkpoints" / f"step-{step:08}.ckpt"

    @property
    def checkpoint_step(self) -> int:
        """Return the number of optimizer steps before the last complete checkpoint; 0 without one."""
        return int(self.checkpoint.stem.removeprefix("step-")) if self.checkpoint else 0

    def point_of(self, step: int) -> Path:
        """Return the folder of the point after `step` optimizer steps, which need not exist."""
        return self.folder / "points" / f"step-{step:08}"

    @property
    def metrics(self) -> Path:
        """Return the path of the file of logged metrics, which need not exist."""
        return self.folder / "metrics.jsonl"

    def last_metric(self, name: str) -> float | None:
        """Return the last value logged under a name in metrics.jsonl; None if there is none.

        Raises DataError for a damaged line, or a value that is no number.
        """
        last = None
        for number, line in read_objects(self.metrics) if self.metrics.exists() else ():
            if name in line and not isinstance(last := line[name], int | float):
                raise DataError(f"{self.metrics}:{number}: {name} is no number; mend or remove the line")
        return None if last is None else float(last)

    def held_out_losses(self, langs: Iterable[str]) -> dict[str, float]:
        """Return the loss on held-out creative answers by language, in nats per token, from the last validation.

        Languages without held-out triplets are left out.
        """
        losses = {lang: self.last_metric(f"validation/loss/creative/{lang}/answer") for lang in langs}
        return {lang: loss for lang, loss in losses.items() if loss is not None}

    def generations(self, queries: str) -> Path:
        """Return the path of the arm's answers to a file of queries, given by its stem; it need not exist."""
        return self.folder / "generations" / f"{queries}.jsonl"

    @property
    def is_known(self) -> bool:
        """Tell whether the arm has a manifest, that is, its training was ever started."""
        return (self.folder / "manifest.json").exists()

    @property
    def early_failure(self) -> EarlyFailure | None:
        """Return when and why an arm failed in a sweep before it had a manifest; None for any other arm.

        If failure.json is damaged, the reason says so, and the time is that of the file.
        """
        file = self.folder / EARLY
        if self.is_known or not file.exists():
            return None
        try:
            return EarlyFailure.model_validate_json(read_whole(file))
        except (ConfigError, ValueError):  # it failed all the same
            return EarlyFailure(at=modified_at(file), error=f"{EARLY} is damaged")

    def manifest(self) -> Manifest:
        """Read and return the manifest. Raises ConfigError if it is missing or damaged."""
        return read_manifest(self.folder / "manifest.json")

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest atomically."""
        write_manifest(self.folder / "manifest.json", manifest)

    @property
    def config_file(self) -> Path:
        """Return the path of the stored config, which need not exist."""
        return self.folder / "config.yaml"

    def config(self) -> TrainConfig:
        """Read and return the config that the arm was trained with. Raises ConfigError if it is missing or damaged.

        It is only data: whoever constructs what it names calls `coig.config.trust.check_trusted` before.
        """
        return read_config(self.config_file)

    def write_config(self, config: TrainConfig) -> None:
        """Write the arm's training config to config.yaml, atomically; paths in the home folder begin with `~`."""
        write_config(self.config_file, config)

    def generation_config(self) -> dict[str, Any]:
        """Return the exported model's generation_config.json: end tokens, and the base model's sampling settings.

        Raises ConfigError if it is missing or damaged.
        """
        file = self.model / "generation_config.json"
        try:
            loaded = parse_json(read_whole(file))
            if not isinstance(loaded, dict):
                raise ValueError("holds no keys")
            for key in (key for key in loaded if key.endswith("_token_id")):
                ids = loaded[key] if isinstance(loaded[key], list) else [loaded[key]]
                if not all(one is None or (type(one) is int and -1 <= one < 2**31) for one in ids):
                    raise ValueError(f"{key}: is no token's id")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file}: missing or damaged ({error}); overwrite=true trains this arm anew") from None
        return loaded

    def end_tokens(self) -> list[int]:
        """Return the ids of the tokens that end an answer. Raises ConfigError if the exported model names none."""
        ends = self.generation_config().get("eos_token_id")
        if ends is None or ends == []:
            raise ConfigError(
                f"{self.model / 'generation_config.json'}: damaged (eos_token_id: missing); overwrite=true trains this "
                "arm anew"
            )
        return ends if isinstance(ends, list) else [ends]

    def answers(self, queries: str) -> list[Answer]:
        """Return the arm's answers to a file of queries, given by its stem; [] if the arm has not answered the file.

        All samples are returned, failed ones too. Raises ConfigError if a line is damaged or of another arm, or if a
        model with other weights wrote an answer.
        """
        answers = read_answers(self.generations(queries), self.name)
        weights = self.manifest().model_sha256 if answers else None
        if any(answer.model != weights for answer in answers):
            raise ConfigError(
                f"{self.generations(queries)}: holds answers of another model than {self.model} (manifest.json: "
                "model_sha256); move the file away, or overwrite=true of generate.py deletes it and asks again"
            )
        return answers

    def weights_sha256(self) -> str:
        """Return an identifier of the exported weights: the sha256 over the sha256 of all `*.safetensors`, by name.

        Without such files it is that of an empty text.
        """
        hashes = [sha256_of(file) for file in sorted(self.model.glob("*.safetensors"))]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()

    def check_weights(self) -> None:
        """Raise ConfigError unless the exported weights are those that were trained, if the manifest says which.

        Their files have no checksums, and a flipped bit would change answers without a word.
        """
        recorded = self.manifest().model_sha256
        if recorded and self.weights_sha256() != recorded:
            raise ConfigError(
                f"{self.model}: missing or damaged: its weights are not those that were trained (manifest.json: "
                "model_sha256); bring the folder back, or train.py with overwrite=true trains it anew"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the arm while the block runs, and make its folder if there is none; a kill releases the lock.

        Raises ArmBusyError if another process has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self.folder / LOCK):
                yield
        except LockHeldError as error:
            raise ArmBusyError(
                f"{self.folder}: another process is at work on this arm ({error}); wait for it or stop it. If it has "
                f"ended, delete {self.folder / LOCK}"
            ) from None

    def contents(self) -> list[Path]:
        """Return all paths in the folder, also those behind links, except manifest and lock; deepest paths first."""
        links = [link for name in MOVABLE if (link := self.folder / name).is_symlink()]
        paths = [path for root in (self.folder, *links) for path in root.rglob("*") if path not in links]
        kept = (self.folder / LOCK, self.folder / "manifest.json")
        return sorted((path for path in paths if path not in kept), key=lambda path: -len(path.parts))

    def remove(self) -> None:
        """Delete the arm's folder, and the folders to which its links named in MOVABLE lead."""
        for link in (self.folder / name for name in MOVABLE):
            if link.is_symlink():
                remove_folder(link)
        remove_folder(self.folder)

    def discard_if_untrained(self) -> None:
        """Delete the arm's folder, if there is one, when it holds nothing but the lock and W&B's files.

        The folder stays if another process is at work on it, if it is a link, or if it cannot be deleted.
        """
        with suppress(OSError, LockHeldError):
            if not self._is_untrained():
                return
            with locked(self.folder / LOCK):
                if self._is_untrained():
                    shutil.rmtree(self.folder)

    def _is_untrained(self) -> bool:
        """Tell whether the folder is no link, and holds nothing but what is made before the manifest: lock and W&B."""
        return _holds_only(self.folder, {LOCK, "wandb"})


def discard_untrained_arms(study: Path) -> None:
    """Delete the folders of arms whose training never began, then the study's and `multirun/` if nothing is left.

    Hydra makes these folders before the data are checked. Hydra's multirun.yaml and sweep.json count as nothing. Links
    to folders elsewhere stay, as does what cannot be deleted.
    """
    for folder in study.glob("*/"):
        Arm(folder).discard_if_untrained()
    with suppress(OSError):  # a folder that cannot be written to, or that another process deletes
        for folder in (study, study.parent):
            if _holds_only(folder, {"multirun.yaml", "sweep.json"}):
                shutil.rmtree(folder)


def _holds_only(folder: Path, names: set[str]) -> bool:
    """Tell whether a folder is no link, and holds nothing but files and folders of these names.

    Raises FileNotFoundError if there is no such folder.
    """
    return not folder.is_symlink() and {path.name for path in folder.iterdir()} <= names
