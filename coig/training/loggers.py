"""Loggers: the one that `logger=` chose, and always metrics.jsonl. Every W&B run is finished, also a failed one."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from coig.config import Logger as LoggerNode
from coig.config import TrainConfig
from coig.config.loading import construct
from coig.config.stored import dump_config
from coig.study.arm import Arm
from coig.study.manifest import Manifest
from coig.study.tracking import best_effort, explained, finished_run, is_wandb, wandb_options
from coig.training.metrics import MetricsFile
from coig.training.record import Record

log = logging.getLogger(__name__)

# what a manifest says of a run's course, which W&B tells by itself, and of its end
OF_ONE_MOMENT = {"status", "error", "times", "model_sha256", "export"}


@contextmanager
def tracking(config: TrainConfig, arm: Arm, record: Record | None) -> Iterator[list[Logger]]:
    """Yield the arm's loggers, none but on the first rank. At the end they are closed with the exit code that tells a
    failed arm from a finished one.

    Raises ConfigError if one cannot be started.
    """
    if record is None:
        yield []
        return
    with finished_run():
        metrics = MetricsFile(arm.metrics, anew=record.anew)
        loggers: list[Logger] = [metrics]
        facts = record.manifest.model_dump(exclude=OF_ONE_MOMENT)
        with explained():
            if config.logger:
                loggers.append(_chosen(config.logger, record.manifest.wandb_run, metrics.earlier))
            for logger in loggers:
                if url := getattr(logger.experiment, "url", None):
                    log.info("W&B: %s", url)
                logger.log_hyperparams({**dump_config(config), "manifest": facts})
        yield loggers


def _chosen(node: LoggerNode, run_id: str, earlier: Sequence[str]) -> Logger:
    """Return the logger that `logger=` chose, which for W&B goes on after the earlier lines of metrics.jsonl."""
    if not is_wandb(node):
        chosen: Logger = construct(node)
        return chosen
    logger = construct(node, **wandb_options(run_id))
    return Continued(logger, [json.loads(line) for line in earlier], run_id) if earlier else logger


class Continued(Logger):
    """W&B's logger in a run that goes on: rows come in the same order again, and those that W&B has are left out.

    Steps since the last checkpoint are run again, and of a killed run W&B lacks the last 15 seconds. Until some of it
    is uploaded, one offline file with all that is in metrics.jsonl takes the place of the earlier ones.
    """

    def __init__(self, logger: Any, earlier: Sequence[dict[str, Any]], run_id: str) -> None:
        super().__init__()
        self.logger, self.earlier = logger, earlier
        self.position: int | None = None  # of the next row
        folders = list(Path(logger.save_dir).glob(f"wandb/*run-*-{run_id}"))
        offline = [f for f in folders if f.name.startswith("offline") and not any(f.glob("*.synced"))]
        uploaded = len(folders) > len(offline)
        run = logger.experiment
        for folder in () if uploaded else offline:
            shutil.rmtree(folder)
        # W&B's steps count rows, but offline it does not know how many it was sent
        self.known: int = run.starting_step if not run.offline else len(earlier) if uploaded else 0

    @property
    def name(self) -> str | None:
        name: str | None = self.logger.name
        return name

    @property
    def version(self) -> str | None:
        version: str | None = self.logger.version
        return version

    @property
    def experiment(self) -> Any:
        return self.logger.experiment

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        self.logger.log_hyperparams(*args, **kwargs)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self.position is None:
            self.position = self._log([line for line in self.earlier if line["step"] < (step or 0)])
        if self.position >= self.known:
            self.logger.log_metrics(metrics, step)
        self.position += 1

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """At the end; a run that was stopped after its last step has had nothing to log."""
        if self.position is None:
            self.position = self._log(self.earlier)

    def _log(self, earlier: Sequence[dict[str, Any]]) -> int:
        """Those that W&B lacks; returns how many it has now."""
        for line in earlier[self.known :]:
            self.logger.log_metrics({key: value for key, value in line.items() if key != "step"}, line["step"])
        return len(earlier)


def log_model(config: TrainConfig, arm: Arm, manifest: Manifest) -> None:
    """The exported model as an artifact of the arm's W&B run, if `logger.log_model` asks for it."""
    if not (config.logger and is_wandb(config.logger) and config.logger.arguments().get("log_model")):
        return
    with best_effort(arm.model):
        import wandb

        facts = manifest.model_dump(include={"study", "arm", "seed", "model", "versions"})
        facts["data"] = manifest.data.model_dump(include={"name", "ratio", "fingerprint"})
        facts["revision"] = manifest.git.revision if manifest.git else None
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{arm.study}-{arm.name}")[:128]  # as W&B wants names
        artifact = wandb.Artifact(name, type="model", metadata=facts)
        # from its own place, wherever `wandb sync` is run: a copy of a model may be most of the disk
        artifact.add_dir(str(arm.model.absolute()), policy="immutable", skip_cache=True)
        assert wandb.run
        wandb.run.log_artifact(artifact)
