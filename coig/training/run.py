"""Training one arm: look at what stands in its folder, then train, continue, or leave it alone."""

from __future__ import annotations

import logging

from coig.config import ConfigError
from coig.data.mixture import build_mixture
from coig.schema import TrainConfig
from coig.study import MULTIRUN, Arm

log = logging.getLogger(__name__)


def train(config: TrainConfig) -> None:
    """Train the arm that `config` describes, unless it is done. Raises ConfigError before anything is written."""
    arm = _arm(config)
    with arm.locked():
        try:
            mixture = build_mixture(config.data, config.seed)
            state = arm.state(config, mixture.fingerprint)
            if state == "done":
                log.info("%s: done already, skipped (overwrite=true trains it anew)", arm.folder)
                return
            from coig.training.fit import fit  # torch only where there is something to train

            fit(config, arm, mixture, anew=state == "new")
        except ConfigError:
            arm.discard_if_empty()
            raise


def check(config: TrainConfig) -> None:
    """Raise the ConfigError that `train` would meet in the data or in the arm's folder; writes nothing."""
    _arm(config).state(config, build_mixture(config.data, config.seed).fingerprint)


def _arm(config: TrainConfig) -> Arm:
    return Arm(MULTIRUN / config.study / config.arm)
