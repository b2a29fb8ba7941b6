"""What is written about a run beside its model: the manifest, the settings, the rows that went unused."""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from coig.config import TrainConfig, Trainer
from coig.data.encoded import EncodedSet
from coig.data.mixture import Mixture, remarks
from coig.files.atomic import write_atomic
from coig.study.arm import Arm
from coig.study.manifest import Manifest, Status, Times
from coig.study.provenance import provenance
from coig.training import ranks
from coig.training.budget import supervised_tokens

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What an arm is trained from and on, and for how many optimizer steps."""

    lm: Any
    mixture: Mixture
    like: Mixture | None  # of the arm whose budget is this one's
    train: EncodedSet
    validation: EncodedSet
    steps: int


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def recorded(config: TrainConfig, arm: Arm, prepared: Prepared, *, anew: bool) -> Iterator[dict[str, Any]]:
    """Keep the arm's folder true while the block trains: its manifest says running, then done or failed.

    Entries that the block puts into the yielded dict stand in the manifest too.
    """
    found: dict[str, Any] = {}
    if not ranks.is_first():
        yield found
        return
    earlier = arm.manifest() if arm.is_known and not anew else None
    if anew:
        arm.clear()
    # answers of a model that is about to change would pass for the new one's
    shutil.rmtree(arm.generations("").parent, ignore_errors=True)
    if rows := b"".join(pool.quarantine.read_bytes() for pool in prepared.mixture.pools.values()):
        write_atomic(arm.folder / "quarantine.jsonl", rows)
    manifest = _describe(config, prepared, earlier)
    with _status_kept(arm, manifest, found):
        # after the manifest says "running": a kill in between must not leave a finished arm with settings it never had
        arm.write_config(config)
        yield found


@contextmanager
def _status_kept(arm: Arm, manifest: Manifest, found: dict[str, Any]) -> Iterator[None]:
    started = time.monotonic()
    arm.write_manifest(manifest)
    status: Status = "failed"
    error = None
    try:
        yield
        status = "done"
    except (KeyboardInterrupt, SystemExit) as stop:  # Lightning turns the first into the second
        error = "interrupted"
        log.error("%s: interrupted; the same command continues from the last checkpoint", arm.folder)
        if isinstance(stop, SystemExit) and not stop.code:  # SIGTERM: what comes after in a script must not go on
            raise SystemExit(143) from None
        raise
    except BaseException as problem:
        error = f"{type(problem).__name__}: {problem}"
        log.error("%s: failed, %s", arm.folder, error)
        raise
    finally:
        seconds = (manifest.times.seconds or 0.0) + round(time.monotonic() - started, 1)
        times = Times(started=manifest.times.started, ended=_now(), seconds=seconds)
        arm.write_manifest(manifest.model_copy(update={"status": status, "error": error, "times": times, **found}))
    log.info("%s: done in %.0f s, model in %s", arm.name, seconds, arm.model)


def _describe(config: TrainConfig, prepared: Prepared, earlier: Manifest | None) -> Manifest:
    """Say what the arm is, as it begins to train; of an earlier run it keeps the W&B id and the times."""
    lm, mixture, train, validation = prepared.lm, prepared.mixture, prepared.train, prepared.validation
    facts = {
        "study": config.study,
        "arm": config.arm,
        "status": "running",
        "seed": config.seed,
        "model": {
            "name": config.model.name,
            "commit": getattr(lm.config, "_commit_hash", None),
            "parameters": sum(p.numel() for p in lm.parameters()),
            "trained_parameters": sum(p.numel() for p in lm.parameters() if p.requires_grad),
        },
        "data": {
            "name": config.data.name,
            "ratio": config.data.ratio,
            "fingerprint": mixture.fingerprint,
            "sources": list(mixture.sources),
            "left_out": mixture.left_out,
            **_left_out_by_length(train, validation),
            "train": train.groups,
            "validation": validation.groups,
        },
        "training": {
            "steps": prepared.steps,
            "epochs": round(prepared.steps / config.trainer.steps_per_epoch(len(train)), 3),
            "supervised_tokens": supervised_tokens(config, train, prepared.steps),
            "like": prepared.like and prepared.like.fingerprint,
        },
        **provenance(_devices(config.trainer)),
        "wandb_run": earlier.wandb_run if earlier else secrets.token_hex(4),
        "times": earlier.times if earlier else Times(started=_now(), seconds=0.0),
    }
    return Manifest.model_validate(facts)


def _devices(trainer: Trainer) -> dict[str, Any]:
    """Describe the devices that torch uses on this node; other GPUs of the machine are left alone."""
    used = range(trainer.devices) if trainer.accelerator == "gpu" else ()
    gpus = [torch.cuda.get_device_properties(number) for number in used]
    return {
        "gpus": [{"name": gpu.name, "memory_gb": round(gpu.total_memory / 1e9, 1)} for gpu in gpus],
        "cuda": torch.version.cuda,
        "torch_threads": torch.get_num_threads(),
    }


def _left_out_by_length(train: EncodedSet, validation: EncodedSet) -> dict[str, int]:
    return {**train.counts, **{f"validation_{name}": count for name, count in validation.counts.items()}}


def headline(config: TrainConfig, prepared: Prepared) -> str:
    """Describe the arm's size in one line, with what was left out."""
    mixture, train = prepared.mixture, prepared.train
    examples = {kind: sum(g["examples"] for g in train.groups if g["kind"] == kind) for kind in ("creative", "general")}
    supervised = sum(group["supervised_tokens"] for group in train.groups)
    by_length = _left_out_by_length(train, prepared.validation)
    facts = [
        f"{examples['creative']} creative + {examples['general']} general examples",
        f"{supervised:,} supervised tokens",
        f"{prepared.steps} steps",
        _parameters(prepared.lm),
        *(f"{count} {name.replace('_', ' ')}" for name, count in by_length.items() if count),
        *(f"{count} rows left out ({reason})" for reason, count in mixture.left_out.items() if count),
        *(f"{source['pool']}: {remark}" for source in mixture.sources for remark in remarks(source)),
    ]
    return f"{config.arm}: " + ", ".join(facts)


def _parameters(lm: Any) -> str:
    sizes = [(p.numel(), p.requires_grad) for p in lm.parameters()]
    total, trained = sum(size for size, _ in sizes), sum(size for size, is_trained in sizes if is_trained)
    of_which = "" if trained == total else f", {trained / 1e6:.1f} M of them trained"
    return f"{total / 1e6:.1f} M parameters{of_which}"
