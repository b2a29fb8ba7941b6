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
from coig.files.secrets import remove_secrets
from coig.study.arm import Arm
from coig.study.manifest import Manifest
from coig.study.tracking import best_effort, explained, finished_run, is_wandb, wandb_options
from coig.training.metrics import MetricsFile
from coig.training.record import Record

log = logging.getLogger(__name__)

# manifest keys that are not logged: W&B records a run's course by itself, and its end is not known yet
OF_ONE_MOMENT = {"status", "error", "times", "model_sha256", "export"}


@contextmanager
def tracking(config: TrainConfig, arm: Arm, record: Record | None) -> Iterator[list[Logger]]:
    """Yield the arm's loggers on the first rank, an empty list on others (`record` None).

    When the block ends, the W&B run is finished with an exit code that says whether the arm failed. Raises ConfigError
    if a logger cannot start.
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
                logger.log_hyperparams(remove_secrets({**dump_config(config), "manifest": facts}))
        yield loggers


def _chosen(node: LoggerNode, run_id: str, earlier: Sequence[dict[str, Any]]) -> Logger:
    """Return the logger that `node` configures.

    One for W&B has the run `run_id`. If there are `earlier` lines of metrics.jsonl, its run starts at once and sends
    only rows that W&B lacks; offline copies of the run are deleted if none was uploaded, to be written anew.
    """
    if not is_wandb(node):
        chosen: Logger = construct(node)
        return chosen
    logger = construct(node, **wandb_options(run_id))
    return Continued(logger, earlier, run_id) if earlier else logger


class Continued(Logger):
    """A W&B logger for a resumed run, which skips the rows that W&B already has.

    Training repeats the steps since the last checkpoint, and W&B lacks the last 15 seconds of a killed run. So all rows
    are counted in their order, and only those beyond W&B's count are sent. Offline runs that were never synced are
    deleted and written again as a whole.
    """

    def __init__(self, logger: Any, earlier: Sequence[dict[str, Any]], run_id: str) -> None:
        super().__init__()
        self.logger, self.earlier = logger, earlier
        self.position: int | None = None  # number of the next row; None until the first is logged
        folders = list(Path(logger.save_dir).glob(f"wandb/*run-*-{run_id}"))
        offline = [f for f in folders if f.name.startswith("offline") and not any(f.glob("*.synced"))]
        uploaded = len(folders) > len(offline)
        run = logger.experiment
        for folder in () if uploaded else offline:
            shutil.rmtree(folder)
        # rows that W&B has: its starting step counts them, but it does not know it offline
        self.known: int = run.starting_step if not run.offline else len(earlier) if uploaded else 0

    @property
    def name(self) -> str | None:
        """Return the W&B logger's name."""
        name: str | None = self.logger.name
        return name

    @property
    def version(self) -> str | None:
        """Return the id of the W&B run."""
        version: str | None = self.logger.version
        return version

    @property
    def experiment(self) -> Any:
        """Return the W&B run."""
        return self.logger.experiment

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Pass the settings on to W&B."""
        self.logger.log_hyperparams(*args, **kwargs)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Send a row unless W&B already has it; before the first row, send earlier rows that W&B lacks."""
        if self.position is None:
            self.position = self._log([line for line in self.earlier if line["step"] < (step or 0)])
        if self.position >= self.known:
            self.logger.log_metrics(metrics, step)
        self.position += 1

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send the earlier rows that W&B lacks, if this run logged none itself (it resumed after the last step)."""
        if self.position is None:
            self.position = self._log(self.earlier)

    def _log(self, earlier: Sequence[dict[str, Any]]) -> int:
        """Send those of the earlier rows that W&B lacks; return the number of earlier rows."""
        for line in earlier[self.known :]:
            self.logger.log_metrics({key: value for key, value in line.items() if key != "step"}, line["step"])
        return len(earlier)


def log_model(config: TrainConfig, arm: Arm, manifest: Manifest) -> None:
    """Log the exported model as an artifact of the arm's W&B run; do nothing unless `logger.log_model` is set."""
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
