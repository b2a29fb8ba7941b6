"""Keep exports of an arm after shares of its steps (`trainer.answer_at`), its points, which answer queries, too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from lightning.pytorch.callbacks import Callback

from coig.config import TrainConfig
from coig.data.encoded import EncodedSet
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.study.manifest import PointFacts
from coig.training.budget import supervised_tokens
from coig.training.exporter import Exporter
from coig.training.failures import check_weights
from coig.training.ranks import first_decides

log = logging.getLogger(__name__)


def plan_points(config: TrainConfig, train: EncodedSet, steps: int) -> tuple[PointFacts, ...]:
    """Return the points of a run of `steps` optimizer steps: the steps nearest to the shares, but at least 1.

    The share 1 is the arm itself and no point. Raises ConfigError if two shares give the same step.
    """
    shares = {steps: 1.0}
    for share in config.trainer.answer_at:
        step = max(1, round(share * steps))
        if share < 1 and step in shares:
            raise ConfigError(
                f"trainer.answer_at: {shares[step]:g} and {share:g} are both after step {step} of {steps}; leave one "
                "out, or train longer"
            )
        shares[step] = share
    return tuple(
        PointFacts(share=share, step=step, supervised_tokens=supervised_tokens(config, train, step))
        for step, share in shares.items()
        if share < 1
    )


def check_passed(arm: Arm, points: Sequence[PointFacts]) -> None:
    """Raise ConfigError if an arm's last checkpoint is past the step of a point that was not kept."""
    passed = arm.checkpoint_step
    for point in points:
        if point.step < passed and not (arm.point_of(point.step) / "model").exists():
            raise ConfigError(
                f"{arm.folder}: no export was kept after step {point.step} (trainer.answer_at={point.share:g}), and "
                f"the arm is at step {passed}; leave this share out, or train the arm anew with overwrite=true"
            )


class KeepPoints(Callback):
    """A callback that exports the model after the steps of the points.

    Lightning calls it before `Checkpoints`: a run that is resumed from the checkpoint of a point's step, or from a
    later one, finds the export complete, and a run that takes the step again writes it again.
    """

    def __init__(self, arm: Arm, points: Sequence[PointFacts], exporter: Exporter) -> None:
        self.arm, self.exporter = arm, exporter
        self.shares = {point.step: point.share for point in points}

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Keep the step that a run continues from, if an earlier run was not asked to keep it."""
        folder = self.arm.point_of(trainer.global_step)
        if trainer.global_step in self.shares and not first_decides(lambda: (folder / "model").exists()):
            self._keep(trainer.global_step, module)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Export the model if a point is after this step."""
        if trainer.global_step in self.shares:
            self._keep(trainer.global_step, module)

    def _keep(self, step: int, module: Any) -> None:
        """Write the export of this step; all ranks must call it. Raises ConfigError if a weight is not finite."""
        check_weights(module, step)
        self.exporter.write(self.arm.point_of(step) / "model")
        log.info("%s: export after step %d kept (trainer.answer_at=%g)", self.arm.name, step, self.shares[step])
