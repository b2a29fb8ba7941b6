"""Keep exports of an arm after shares of its steps (`trainer.answer_at`), its points, which answer queries, too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from lightning.pytorch.callbacks import Callback

from coig.study.arm import Arm
from coig.study.manifest import PointFacts
from coig.training.exporter import Exporter
from coig.training.failures import check_weights
from coig.training.ranks import first_decides

log = logging.getLogger(__name__)


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
