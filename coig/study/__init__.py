"""A study's folder: `multirun/<study>/<arm>/`, its manifests, and writes that are whole or not there at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from yaml import YAMLError

from coig.config import ConfigError, suggestion
from coig.fields import LANGUAGES
from coig.schema import TrainConfig

MULTIRUN = Path("multirun")
# what may change between two runs of one arm without changing its results
RUN_ONLY = (
    *("resume", "overwrite", "logger", "vary", "question", "objective", "data.cache", "data.max_quarantined"),
    *(
        f"trainer.{key}"
        for key in ("tokens_per_micro_batch", "activation_checkpointing", "compile", "checkpoint_every")
    ),
    *(f"trainer.{key}" for key in ("devices", "num_nodes", "enable_progress_bar", "log_every_n_steps")),
)

LOCK = ".lock"
RECORD: dict[str, type] = {  # a generation's keys that later stages rely on
    **dict.fromkeys(("query_id", "lang", "genre", "query", "arm", "reasoning", "answer", "finish_reason"), str),
    **dict.fromkeys(("answer_tokens", "seed"), int),
    "sampling": dict,
}
FAILED = {"finish_reason": "error"}
State = Literal["new", "unfinished", "done"]


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
        """What was logged last under that name."""
        lines = read_jsonl(self.metrics) if self.metrics.exists() else ()
        values = [line[name] for _, text in lines if name in (line := json.loads(text))]
        return float(values[-1]) if values else None

    def generations(self, queries: str) -> Path:
        return self.folder / "generations" / f"{queries}.jsonl"

    def manifest(self) -> dict[str, Any]:
        """What the arm is; empty when nothing was trained here yet."""
        file = self.folder / "manifest.json"
        if not file.exists():
            return {}
        try:
            manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            _ = manifest["status"], manifest["data"]["fingerprint"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{file}: damaged ({error}); overwrite=true trains this arm anew") from None
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        write_atomic(self.folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")

    def settings(self) -> dict[str, Any]:
        """The resolved config the arm was trained with."""
        file = self.folder / "config.yaml"
        try:
            loaded: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(file))  # type: ignore[assignment]
        except (OSError, YAMLError) as error:
            raise ConfigError(f"{file}: missing or damaged ({error}); overwrite=true trains this arm anew") from None
        return loaded

    def ask(self, question: dict[str, Any] | None) -> None:
        """Have the report answer another question about an arm that is trained."""
        if (settings := self.settings()).get("question") != question:
            asked = OmegaConf.create(settings | {"question": question})
            write_atomic(self.folder / "config.yaml", OmegaConf.to_yaml(asked))

    def write_settings(self, config: TrainConfig) -> None:
        write_atomic(self.folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(settings_of(config))))

    def state(self, config: TrainConfig, fingerprint: str, like: str | None = None) -> State:
        """Whether to train anew, to continue or to leave alone, if its data and those of the arm whose budget is its
        own have these fingerprints.

        Raises ConfigError if the folder holds another configuration or other data than those asked for: `resume`
        accepts more epochs, `overwrite` anything.
        """
        if config.overwrite:
            return "new"
        manifest = self.manifest()
        checkpoint = self.checkpoint
        if not manifest and (self.model.exists() or checkpoint):
            raise ConfigError(f"{self.folder}: holds a model without manifest.json; overwrite=true trains it anew")
        if not manifest or (manifest["status"] != "done" and not checkpoint):
            return "new"
        changed = differences(self.settings(), settings_of(config))
        if manifest["data"]["fingerprint"] != fingerprint:
            changed.append("the data themselves (fingerprint)")
        if manifest.get("training", {}).get("like") != like:
            changed.append("the data of the arm that budget.like names (fingerprint)")
        longer = config.trainer.max_epochs > self.settings()["trainer"]["max_epochs"]
        only_epochs = all(line.startswith("trainer.max_epochs:") for line in changed)
        if changed and not (config.resume and only_epochs and longer):
            raise ConfigError(
                f"{self.folder} holds an arm with other settings:\n  - " + "\n  - ".join(changed) + "\n"
                "give this run a place of its own (study=… or arm=…), or start anew with overwrite=true; "
                "resume=true continues with more epochs only"
            )
        if manifest["status"] == "done" and self.model.exists() and not changed:
            return "done"
        if checkpoint and not _is_sound(checkpoint):
            raise ConfigError(f"{checkpoint}: damaged; overwrite=true trains this arm anew")
        return "unfinished"

    def generation_config(self) -> dict[str, Any]:
        """How the exported model says it is to be used: its end tokens, and sampling if the base named any."""
        file = self.model / "generation_config.json"
        try:
            loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file}: missing or damaged ({error}); overwrite=true trains this arm anew") from None
        return loaded

    def answers(self, queries: str) -> list[dict[str, Any]]:
        """The arm's generation records, one for each sample of each query, none if there is no file; an error gives way
        to the answer of a later try. Raises ConfigError that names a damaged line."""
        file = self.generations(queries)
        records: dict[Any, dict[str, Any]] = {}
        for number, line in read_jsonl(file) if file.exists() else ():
            try:
                record = json.loads(line)
                wrong = [key for key, kind in RECORD.items() if not isinstance(record[key], kind)]
            except (ValueError, KeyError, TypeError) as error:
                wrong, record = [f"{type(error).__name__}: {error}"], {}
            if not wrong and (record["arm"] != self.name or record["lang"] not in LANGUAGES):
                wrong = [f"arm {record['arm']}, lang {record['lang']}"]
            key = record.get("query_id"), record.setdefault("sample", 0)
            if not wrong and records.get(key, FAILED)["finish_reason"] != "error":
                wrong = [f"query {record['query_id']} is answered twice"]
            if wrong:
                raise ConfigError(f"{file}:{number}: damaged ({wrong[0]}); remove the line and run generate.py again")
            records[key] = record
        return list(records.values())

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


def _is_sound(checkpoint: Path) -> bool:
    """Whether it is whole: torch writes zip files with checksums, and a folder's own index last."""
    if checkpoint.is_dir():
        return (checkpoint / ".metadata").exists()
    try:
        with zipfile.ZipFile(checkpoint) as parts:
            return parts.testzip() is None
    except zipfile.BadZipFile:
        return False


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """The resolved config as plain JSON types."""
    return config.model_dump(mode="json", by_alias=True)


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """`key: old → new` for every leaf that differs and bears on the results."""
    before, after = leaves(old), leaves(new)
    return [
        f"{key}: {before.get(key, '(absent)')} → {after.get(key, '(absent)')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and not {key, key.partition(".")[0]} & set(RUN_ONLY)
    ]


def leaves(node: Any, prefix: str = "") -> dict[str, Any]:
    """A nested config's values by dotted key."""
    if not isinstance(node, dict):
        return {prefix: node}
    children = [leaves(child, f"{prefix}.{key}" if prefix else str(key)) for key, child in node.items()]
    return {key: value for own in children for key, value in own.items()}


def find_study(name: str | None) -> Path:
    """The folder of a study; without a name, of the one whose arms were written last."""
    trained = {manifest.parent.parent for manifest in MULTIRUN.glob("*/*/manifest.json")}
    if not trained:
        raise ConfigError(f"no study in {MULTIRUN.absolute()}: train one first, python train.py")
    if name is None:
        return max(trained, key=lambda folder: max(m.stat().st_mtime for m in folder.glob("*/manifest.json")))
    if MULTIRUN / name not in trained:
        raise ConfigError(f"study={name}: no such study" + suggestion(name, sorted(s.name for s in trained)))
    return MULTIRUN / name


def find_arms(study: Path, names: tuple[str, ...] | None) -> list[Arm]:
    """The study's arms in the paper's order, or those asked for. Raises ConfigError for one that is not there."""
    arms = sorted((Arm(file.parent) for file in study.glob("*/manifest.json")), key=lambda arm: arm_order(arm.name))
    known = [arm.name for arm in arms]
    if unknown := [name for name in names or () if name not in known]:
        raise ConfigError(f"arms: {unknown[0]} is no arm of study {study.name}" + suggestion(unknown[0], known))
    return [arm for arm in arms if names is None or arm.name in names]


def find_done_arms(study: Path, names: tuple[str, ...] | None) -> tuple[list[Arm], list[str]]:
    """The arms that are trained, and the names of those that are not.

    Raises ConfigError if none is, or one that was asked for is not.
    """
    arms = find_arms(study, names)
    untrained = [arm.name for arm in arms if arm.manifest()["status"] != "done"]
    if untrained and (names or len(untrained) == len(arms)):
        raise ConfigError(f"arms: {untrained[0]} of study {study.name} is not done; train it first, or leave it out")
    return [arm for arm in arms if arm.name not in untrained], untrained


def arm_order(arm: str) -> tuple[bool, bool, float, str]:
    """cw before cw+1k before cw+10k, then arms of a proportion (cw+1to12), arm G last."""
    count = re.match(r"cw\+(1to)?([\d.]+)(k?)", arm)
    size = float(count[2]) * (1000 if count[3] else 1) if count else 0.0
    return arm.startswith("general"), bool(count and count[1]), size, arm


def read_jsonl(path: Path) -> Iterator[tuple[int, str]]:
    """(number, line) of every whole line. Texts may hold U+2028 and its like, at which `str.splitlines` would break."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(stream, 1):
            if line.endswith("\n"):
                yield number, line[:-1]


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # of a full disk, say


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes `path`'s place once the block ends well."""
    for killed in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(killed)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
