"""Log to metrics.jsonl and to the logger that `logger=` chose; finish every W&B run, also a failed one."""

from __future__ import annotations

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
from coig.files.atomic import remove
from coig.files.secrets import remove_secrets
from coig.study.arm import Arm
from coig.study.manifest import Manifest
from coig.study.tracking import OF_ONE_MOMENT, best_effort, explain_logger_errors, finished_run, is_wandb, wandb_options
from coig.training.metrics import MetricsFile
from coig.training.run_record import RunRecord

log = logging.getLogger(__name__)


@contextmanager
def tracking(config: TrainConfig, arm: Arm, record: RunRecord | None) -> Iterator[list[Logger]]:
    """Yield the arm's loggers on the first rank: that of metrics.jsonl, then the configured one, if there is one.

    On other ranks (`record` None) the list is empty. Each logger has got the config and the manifest, without secrets,
    before. When the block ends, the W&B run is finished, with exit code 1 if the block failed and 0 if not. Raises
    ConfigError if a logger cannot start, DataError if the metrics.jsonl of a resumed arm is damaged.
    """
    if record is None:
        yield []
        return
    with finished_run():
        metrics = MetricsFile(arm.metrics, anew=record.anew)
        loggers: list[Logger] = [metrics]
        facts = record.manifest.model_dump(exclude=OF_ONE_MOMENT)
        with explain_logger_errors():
            if config.logger:
                loggers.append(_make_logger(config.logger, record.manifest.wandb_run, metrics.earlier))
            for logger in loggers:
                if url := getattr(logger.experiment, "url", None):
                    log.info("W&B: %s", url)
                logger.log_hyperparams(remove_secrets({**dump_config(config), "manifest": facts}))
        yield loggers


def _make_logger(node: LoggerNode, run_id: str, earlier: Sequence[dict[str, Any]]) -> Logger:
    """Return the logger that `node` configures; for W&B, with the id `run_id`.

    If there are `earlier` lines of metrics.jsonl, loggers of W&B and TensorBoard are `Continued`: their copies of these
    lines on this machine are deleted, to be written anew, unless W&B's server has a part of them.
    """
    logger: Logger = construct(node, **(wandb_options(run_id) if is_wandb(node) else {}))
    if earlier and is_wandb(node):
        return Continued(logger, earlier, _count_known(logger, len(earlier), run_id))
    if earlier and node.target.endswith("TensorBoardLogger"):
        remove(Path(str(logger.log_dir)).glob("events.out.tfevents.*"))
        return Continued(logger, earlier, 0)
    return logger


def _count_known(logger: Any, earlier: int, run_id: str) -> int:
    """Start a W&B run, and return how many of its `earlier` rows W&B's server has already.

    That is what the server says; for an offline run all of them if a part was uploaded, else 0. If no part was
    uploaded, deletes the run's offline copies.
    """
    folders = list(Path(logger.save_dir).glob(f"wandb/*run-*-{run_id}"))
    offline = [f for f in folders if f.name.startswith("offline") and not any(f.glob("*.synced"))]
    uploaded = len(folders) > len(offline)
    run = logger.experiment
    for folder in () if uploaded else offline:
        shutil.rmtree(folder)
    # the starting step counts the rows that W&B has, but it does not know it offline
    starting_step: int = run.starting_step
    return starting_step if not run.offline else earlier if uploaded else 0


class Continued(Logger):
    """A logger for a resumed run, which skips the first `known` rows, because they are there already.

    Training repeats the steps since the last checkpoint, and W&B lacks the last 15 seconds of a killed run. So all rows
    are counted in their order, and only those beyond `known` are logged.
    """

    def __init__(self, logger: Any, earlier: Sequence[dict[str, Any]], known: int) -> None:
        super().__init__()
        self.logger, self.earlier, self.known = logger, earlier, known
        self.position: int | None = None  # number of the next row; None until the first is logged

    @property
    def name(self) -> str | None:
        """Return the logger's name."""
        name: str | None = self.logger.name
        return name

    @property
    def version(self) -> str | None:
        """Return the logger's version, for W&B the id of the run."""
        version: str | None = self.logger.version
        return version

    @property
    def experiment(self) -> Any:
        """Return what the logger writes to, such as a W&B run."""
        return self.logger.experiment

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Pass the settings on."""
        self.logger.log_hyperparams(*args, **kwargs)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log a row unless it is there already; before the first row, log earlier rows that are not."""
        if self.position is None:
            self.position = self._log([line for line in self.earlier if line["step"] < (step or 0)])
        if self.position >= self.known:
            self.logger.log_metrics(metrics, step)
        self.position += 1

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Log the earlier rows that are missing, if this run logged none itself (it resumed after the last step)."""
        if self.position is None:
            self.position = self._log(self.earlier)
        self.logger.finalize(status)

    def _log(self, earlier: Sequence[dict[str, Any]]) -> int:
        """Log those of the earlier rows that are missing; return the number of earlier rows."""
        for line in earlier[self.known :]:
            self.logger.log_metrics({key: value for key, value in line.items() if key != "step"}, line["step"])
        return len(earlier)


def log_model(config: TrainConfig, arm: Arm, manifest: Manifest) -> None:
    """Log the exported model as an artifact of the arm's W&B run; do nothing unless `logger.log_model` is set.

    A failure is only a warning.
    """
    if not (config.logger and is_wandb(config.logger) and config.logger.arguments().get("log_model")):
        return
    with best_effort(arm.model):
        import wandb

        facts = manifest.model_dump(include={"study", "arm", "seed", "model", "versions"})
        facts["data"] = manifest.data.model_dump(include={"name", "ratio", "fingerprint"})
        facts["revision"] = manifest.git.revision if manifest.git else None
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{arm.study}-{arm.name}")[:128]  # W&B allows no other characters
        artifact = wandb.Artifact(name, type="model", metadata=facts)
        # uploads the model's own files, by absolute path: a copy of a model may fill the disk
        artifact.add_dir(str(arm.model.absolute()), policy="immutable", skip_cache=True)
        assert wandb.run
        wandb.run.log_artifact(artifact)
