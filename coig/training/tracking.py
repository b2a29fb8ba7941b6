"""Loggers: the one that `logger=` chose, and always metrics.jsonl. Every W&B run is finished, also a failed one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch.loggers import Logger

from coig.config import construct
from coig.schema import TrainConfig
from coig.study import Arm, settings_of
from coig.tracking import finished_run, is_wandb, wandb_options
from coig.training import ranks
from coig.training.metrics import MetricsFile

log = logging.getLogger(__name__)


@contextmanager
def tracking(config: TrainConfig, arm: Arm) -> Iterator[list[Logger]]:
    """The arm's loggers, closed at the end with the exit code that tells a failed arm from a finished one; none but on
    the first rank."""
    if not ranks.is_first():
        yield []
        return
    with finished_run():
        loggers: list[Logger] = [MetricsFile(arm.metrics)]
        if config.logger:
            options = wandb_options(arm.manifest()["wandb_run"]) if is_wandb(config.logger) else {}
            loggers.append(construct(config.logger, **options))
        for logger in loggers:
            if url := getattr(logger.experiment, "url", None):
                log.info("W&B: %s", url)
            logger.log_hyperparams(settings_of(config))
        yield loggers
