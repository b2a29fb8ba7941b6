"""Training one arm: look at what stands in its folder, then train, continue, or leave it alone."""

from __future__ import annotations

import logging
from contextlib import nullcontext

from coig.config import ConfigError
from coig.data.mixture import build_mixture
from coig.schema import TrainConfig
from coig.study import MULTIRUN, Arm
from coig.training import ranks

log = logging.getLogger(__name__)


def train(config: TrainConfig) -> None:
    """Train the arm that `config` describes, unless it is done. Raises ConfigError before anything is written.

    With several devices and no ranks yet, start them; every one of them comes here again.
    """
    ranks.check_devices(config.trainer)
    if config.trainer.ranks > 1 and not ranks.is_rank():
        ranks.launch(config)
        return
    with ranks.joined(config.trainer):
        _train(config, _arm(config))


def _train(config: TrainConfig, arm: Arm) -> None:
    """On every rank; what is written, the first one writes."""
    with arm.locked() if ranks.is_first() else nullcontext():
        try:
            mixture = ranks.first_before_others(lambda: build_mixture(config.data, config.seed))
            fingerprint = ranks.first_decides(lambda: mixture.fingerprint)
            if mixture.fingerprint != fingerprint:
                raise ConfigError("the nodes have different data (fingerprint); give all of them the same files")
            state = ranks.first_decides(lambda: arm.state(config, fingerprint))
            if state == "done":
                log.info("%s: done already, skipped (overwrite=true trains it anew)", arm.folder)
                return
            from coig.training.fit import fit  # torch only where there is something to train

            fit(config, arm, mixture, anew=state == "new")
        except ConfigError:
            if ranks.is_first():
                arm.discard_if_empty()
            raise


def check(config: TrainConfig) -> None:
    """Raise the ConfigError that `train` would meet in the data or in the arm's folder; writes nothing."""
    _arm(config).state(config, build_mixture(config.data, config.seed).fingerprint)


def _arm(config: TrainConfig) -> Arm:
    return Arm(MULTIRUN / config.study / config.arm)
