"""Loggers: the one that `logger=` chose, and always metrics.jsonl. Every W&B run is finished, also a failed one."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.loggers import Logger

from coig.config import construct
from coig.schema import Constructor, TrainConfig
from coig.study import Arm, settings_of
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
    loggers: list[Logger] = [MetricsFile(arm.metrics)]
    if config.logger:
        loggers.append(construct(config.logger, **_wandb_options(config.logger, arm.manifest()["wandb_run"])))
    for logger in loggers:
        if url := getattr(logger.experiment, "url", None):
            log.info("W&B: %s", url)
        logger.log_hyperparams(settings_of(config))
    failed = True
    try:
        yield loggers
        failed = False
    finally:
        # WandbLogger would hand a live run on to the next arm of a sweep
        if (wandb := sys.modules.get("wandb")) and wandb.run:
            wandb.finish(exit_code=int(failed))


def _wandb_options(node: Constructor, run_id: str) -> dict[str, Any]:
    """A stable run id, so that a resumed arm continues its run; offline unless somebody is logged in."""
    if not node.target.endswith("WandbLogger"):
        return {}
    os.environ.setdefault("WANDB_SILENT", "true")  # its summary of each run would bury the sweep's own lines
    import wandb

    if "WANDB_MODE" in os.environ or wandb.login(prompt=False, verify=False):
        return {"id": run_id}
    log.info("W&B: not logged in, runs stay offline (`wandb login` changes that, `wandb sync` uploads them later)")
    return {"id": run_id, "mode": "offline"}
