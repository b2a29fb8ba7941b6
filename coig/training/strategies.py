"""Lightning's strategies for several ranks, whose barriers wait for the first rank as long as `ranks.PATIENCE`."""

from __future__ import annotations

from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy

from coig.config import Trainer
from coig.training.ranks import wait_for_all


class _Waiting:
    """A part of a strategy: its barrier, at which ranks wait while the first one writes a checkpoint."""

    def barrier(self, name: str | None = None) -> None:
        """Wait for all ranks."""
        wait_for_all()


class _Replicated(_Waiting, DDPStrategy):
    """DDP: every rank holds the whole model."""


class _Sharded(_Waiting, ModelParallelStrategy):
    """FSDP2: every rank holds a part of each weight; `sharding` makes the parts."""


def strategy_of(trainer: Trainer) -> Strategy | str:
    """Return Lightning's strategy for `trainer.strategy`, or its name if Lightning needs no more."""
    match trainer.strategy:
        case "fsdp":
            return _Sharded(data_parallel_size=trainer.ranks, tensor_parallel_size=1)
        case "ddp":
            return _Replicated(gradient_as_bucket_view=True)
        case other:
            return other
