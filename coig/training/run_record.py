"""Write a run's manifest, its settings and its quarantined rows to the arm's folder."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch

from coig.config import TrainConfig, Trainer
from coig.config.process import Preempted, read_overrides
from coig.config.slurm import job_id
from coig.data.encoded import EncodedSet
from coig.data.mixture import Mixture, remarks
from coig.display.numbers import counted
from coig.errors import system_problem
from coig.files.atomic import remove, remove_folder, write_atomic
from coig.files.timestamps import now
from coig.study.arm import Arm
from coig.study.manifest import INTERRUPTED, Divergence, ExportFacts, Manifest, MemoryPlan, PointFacts, Status, Times
from coig.study.points import Point
from coig.study.provenance import collect_provenance
from coig.training import ranks
from coig.training.budget import supervised_tokens
from coig.training.checkpoints import remove_checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """An arm's model and data, the number of optimizer steps, the points to keep, and the plan of the memory."""

    lm: Any
    mixture: Mixture
    like: Mixture | None  # data of the arm whose budget this one copies
    train: EncodedSet
    validation: EncodedSet
    steps: int
    points: tuple[PointFacts, ...]
    plan: MemoryPlan


@contextmanager
def recorded(config: TrainConfig, arm: Arm, prepared: Prepared, *, anew: bool) -> Iterator[RunRecord | None]:
    """Yield the arm's record on the first rank, None on others; mark the arm done or failed when the block ends.

    Nothing is written or deleted until the block calls `begin`, after everything that can fail before the first step.
    Ctrl-C leaves the block as SystemExit (`exit_code_of`); other errors are raised again.
    """
    if not ranks.is_first():
        yield None
        return
    earlier = arm.manifest() if arm.is_known and not anew else None
    record = RunRecord(config, arm, prepared, _describe(config, prepared, earlier), anew)
    try:
        yield record
        record.end("done")
    except (KeyboardInterrupt, SystemExit) as stop:
        record.end("failed", INTERRUPTED)
        if isinstance(stop, Preempted):
            raise
        raise SystemExit(ranks.exit_code_of(stop)) from None
    except BaseException as problem:
        record.end("failed", system_problem(problem) or f"{type(problem).__name__}: {problem}")
        raise


@dataclass
class RunRecord:
    """The record of a run in the arm's folder.

    Args:
        manifest: the manifest at the start of the run.
        anew: whether the run starts from scratch and deletes the files of an earlier one.
        started: monotonic time of `begin` in seconds; None before.
        exported: facts about the exported model; None before the export.
        divergence: how far the model is from its base; empty if it is not measured.
    """

    config: TrainConfig
    arm: Arm
    prepared: Prepared
    manifest: Manifest
    anew: bool
    started: float | None = None
    exported: ExportFacts | None = None
    divergence: tuple[Divergence, ...] = ()

    def __post_init__(self) -> None:
        """List the files of an earlier run if this one starts from scratch; none is deleted yet."""
        self.old = self.arm.contents() if self.anew else []  # listed before loggers add new files

    def begin(self) -> None:
        """Write the manifest with status "running", delete outdated files, then write the settings and quarantine.

        Outdated are all answers, points that this run does not keep and, if the run starts from scratch, all files of
        an earlier run.
        """
        self.started = time.monotonic()
        self.arm.write_manifest(self.manifest)
        # old answers would be taken for the new model's
        remove([*self.old, *self.arm.folder.glob("generations/*"), *self.arm.folder.glob("points/*/generations/*")])
        kept = {self.arm.point_of(point.step) for point in self.prepared.points}
        for folder in sorted({*self.arm.folder.glob("points/step-*/")} - kept):
            if (folder / "model").exists():
                log.warning("%s: deleted, since its step is none of this run's trainer.answer_at", folder)
            remove_folder(folder)
        # after the manifest says "running": a kill must never leave a "done" arm with other settings
        self.arm.write_config(self.config)
        if rows := b"".join(pool.quarantine.read_bytes() for pool in self.prepared.mixture.pools.values()):
            write_atomic(self.arm.folder / "quarantine.jsonl", rows)

    def end(self, status: Status, error: str | None = None) -> None:
        """Write to the manifest, and log, how the run ended; do nothing before `begin`.

        Status "done" is written after all other files; then checkpoints are deleted unless `trainer.keep_checkpoint`.
        """
        if self.started is None:
            return
        seconds = (self.manifest.times.seconds or 0.0) + round(time.monotonic() - self.started, 1)
        times = Times(started=self.manifest.times.started, ended=now(), seconds=seconds)
        ended = self.manifest.model_copy(update={"status": status, "error": error, "times": times})
        if status == "done":
            model = {"model_sha256": self.arm.weights_sha256(), "export": self.exported, "points": self._hash_points()}
            self.arm.write_manifest(ended.model_copy(update={**model, "divergence": self.divergence}))
            if not self.config.trainer.keep_checkpoint and (checkpoint := self.arm.checkpoint):
                try:
                    remove_checkpoint(checkpoint)
                except OSError as problem:  # as on a network disk; the arm is done
                    log.warning("%s: is not needed any more, but cannot be deleted (%s)", checkpoint, problem.strerror)
            log.info("%s: done in %.0f s, model in %s", self.arm.name, seconds, self.arm.model)
            return
        if error == INTERRUPTED:
            error = "interrupted; the same command continues from the last checkpoint"
        log.error("%s: %s", self.arm.folder, error)
        if self.arm.is_known:  # do not make a deleted folder again
            with suppress(OSError):  # a full disk may have ended the run
                self.arm.write_manifest(ended)

    def _hash_points(self) -> tuple[PointFacts, ...]:
        """Return the facts of the points with the hashes of their weights."""
        found = [(facts, Point(self.arm.point_of(facts.step), self.arm, facts)) for facts in self.prepared.points]
        return tuple(facts.model_copy(update={"model_sha256": point.weights_sha256()}) for facts, point in found)


def _describe(config: TrainConfig, prepared: Prepared, earlier: Manifest | None) -> Manifest:
    """Return the manifest, with status "running", of a run that begins.

    `earlier` is the manifest of the run that is resumed, which gives the W&B id and the times; None for a new run.
    """
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
            "token_fingerprint": train.fingerprint,
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
        "memory": prepared.plan,
        "points": prepared.points,
        **collect_provenance(_devices(config.trainer)),
        "command": read_overrides(),
        "slurm_job": job_id(),
        "wandb_run": earlier.wandb_run if earlier else secrets.token_hex(4),
        "times": earlier.times if earlier else Times(started=now(), seconds=0.0),
    }
    return Manifest.model_validate(facts)


def _devices(trainer: Trainer) -> dict[str, Any]:
    """Return a dict: name and memory of the GPUs that this run uses on this node, torch's CUDA version and threads."""
    used = range(trainer.devices) if trainer.accelerator == "gpu" else ()
    gpus = [torch.cuda.get_device_properties(number) for number in used]
    return {
        "gpus": [{"name": gpu.name, "memory_gb": round(gpu.total_memory / 1e9, 1)} for gpu in gpus],
        "cuda": torch.version.cuda,
        "torch_threads": torch.get_num_threads(),
    }


def _left_out_by_length(train: EncodedSet, validation: EncodedSet) -> dict[str, int]:
    """Return how many training and validation examples were truncated and dropped, by the manifest's names."""
    return {**train.counts, **{f"validation_{name}": count for name, count in validation.counts.items()}}


def headline(config: TrainConfig, prepared: Prepared) -> str:
    """Return one line with the arm's examples, tokens, steps and parameters, and what was left out."""
    mixture, train = prepared.mixture, prepared.train
    examples = {kind: sum(g["examples"] for g in train.groups if g["kind"] == kind) for kind in ("creative", "general")}
    supervised = sum(group["supervised_tokens"] for group in train.groups)
    by_length = _left_out_by_length(train, prepared.validation)
    facts = [
        f"{examples['creative']} creative + {examples['general']} general examples",
        f"{supervised:,} supervised tokens",
        counted(prepared.steps, "step"),
        _parameters(prepared.lm),
        *(f"{count} {name.replace('_', ' ')}" for name, count in by_length.items() if count),
        *(f"{count} rows left out ({reason})" for reason, count in mixture.left_out.items() if count),
        *(f"{source['pool']}: {remark}" for source in mixture.sources for remark in remarks(source)),
    ]
    return f"{config.arm}: " + ", ".join(facts)


def _parameters(lm: Any) -> str:
    """Return the number of parameters in millions as text, and how many are trained if not all are."""
    sizes = [(p.numel(), p.requires_grad) for p in lm.parameters()]
    total, trained = sum(size for size, _ in sizes), sum(size for size, is_trained in sizes if is_trained)
    of_which = "" if trained == total else f", {trained / 1e6:.1f} M of them trained"
    return f"{total / 1e6:.1f} M parameters{of_which}"
