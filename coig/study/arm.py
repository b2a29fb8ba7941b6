"""One arm's folder, `multirun/<study>/<arm>/`: where its files are, and reading and writing them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from coig.config import TrainConfig
from coig.config.stored import read_config, write_config
from coig.errors import ConfigError
from coig.files.atomic import read_jsonl
from coig.records.answer import Answer, read_answers
from coig.study.manifest import Manifest, read_manifest, write_manifest

LOCK = ".lock"


@dataclass(frozen=True)
class Arm:
    """One trained configuration's folder."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def study(self) -> str:
        return self.folder.parent.name

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def checkpoint(self) -> Path | None:
        """The last one that is whole, if there is any: a file, or a folder that several ranks wrote."""
        return max(self.folder.glob("checkpoints/step-*.ckpt"), default=None)

    def checkpoint_of(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"step-{step:08}.ckpt"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    def last_metric(self, name: str) -> float | None:
        """Return the last value that was logged under that name."""
        lines = read_jsonl(self.metrics) if self.metrics.exists() else ()
        values = [line[name] for _, text in lines if name in (line := json.loads(text))]
        return float(values[-1]) if values else None

    def generations(self, queries: str) -> Path:
        return self.folder / "generations" / f"{queries}.jsonl"

    @property
    def is_known(self) -> bool:
        """Tell whether anything was ever trained here."""
        return (self.folder / "manifest.json").exists()

    def manifest(self) -> Manifest:
        """Read what the arm is. Raises ConfigError if the manifest is missing or damaged."""
        return read_manifest(self.folder / "manifest.json")

    def write_manifest(self, manifest: Manifest) -> None:
        """Write what the arm is."""
        write_manifest(self.folder / "manifest.json", manifest)

    def config(self) -> TrainConfig:
        """Read the config that the arm was trained with. Raises ConfigError if it is missing or damaged."""
        return read_config(self.folder / "config.yaml")

    def write_config(self, config: TrainConfig) -> None:
        """Write the config that the arm is trained with."""
        write_config(self.folder / "config.yaml", config)

    def generation_config(self) -> dict[str, Any]:
        """Read the exported model's generation config: its end tokens, and sampling if the base named any."""
        file = self.model / "generation_config.json"
        try:
            loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file}: missing or damaged ({error}); overwrite=true trains this arm anew") from None
        return loaded

    def answers(self, queries: str) -> list[Answer]:
        """Read the arm's answers to a file of queries, none if there are none; see `read_answers`."""
        return read_answers(self.generations(queries), self.name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from this arm; a killed one leaves no lock. Raises ConfigError if one is at work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / LOCK, timeout=0):
                yield
        except Timeout:
            raise ConfigError(
                f"{self.folder}: another process is at work on this arm; wait for it or stop it"
            ) from None

    def clear(self) -> None:
        """Delete everything that an earlier run left here."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def discard_if_empty(self) -> None:
        """Hydra makes folders before we have looked at the data; leave none behind when they are bad."""
        for folder in (self.folder, *list(self.folder.parents)[:2]):
            if folder.is_dir() and {path.name for path in folder.iterdir()} <= {LOCK, "multirun.yaml"}:
                shutil.rmtree(folder)
