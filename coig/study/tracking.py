"""Weights & Biases: a run of its own for each piece of work, ended with an exit code; offline unless logged in."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coig.config import Constructor
from coig.errors import ConfigError, first_line

log = logging.getLogger(__name__)


def is_wandb(node: Constructor) -> bool:
    return node.target.endswith("WandbLogger")


@contextmanager
def explained() -> Iterator[None]:
    """Turn a logger's refusal to start into a ConfigError with the ways on."""
    try:
        yield
    except (ConfigError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise ConfigError(
            f"logger: cannot be started ({type(error).__name__}: {first_line(error)}); WANDB_MODE=offline keeps a W&B "
            "run on this machine, logger=csv or none does without"
        ) from error


def wandb_options(run_id: str) -> dict[str, Any]:
    """A run's id, always the same for the same work, so that it is continued; offline where nobody is logged in."""
    os.environ.setdefault("WANDB_SILENT", "true")  # its summary of each run would bury a sweep's own lines
    # it would record the repository of the folder one works in, with a token in its remote's address; the manifest has
    # coig's own revision
    os.environ.setdefault("WANDB_DISABLE_GIT", "true")
    import wandb

    wandb.setup()  # silent from here on, not only once a run has started
    if "WANDB_MODE" in os.environ or wandb.login(prompt=False, verify=False):
        return {"id": run_id}
    log.info("W&B: not logged in, runs stay offline (`wandb login` changes that, `wandb sync` uploads them later)")
    return {"id": run_id, "mode": "offline"}


@contextmanager
def finished_run() -> Iterator[None]:
    """The W&B run that the block starts, if any, ends with it, and with the exit code that tells whether it failed."""
    failed = True
    try:
        yield
        failed = False
    finally:
        # WandbLogger would hand a live run on to the next arm of a sweep
        if (wandb := sys.modules.get("wandb")) and wandb.run:
            wandb.finish(exit_code=int(failed))


@contextmanager
def best_effort(what: Path) -> Iterator[None]:
    """W&B out of reach is a warning: what was to be logged lies on the disk, and other work is to be done."""
    try:
        yield
    except Exception as error:
        log.warning("%s: not logged to W&B (%s)", what, first_line(error))
