"""Write checkpoints atomically: under a temporary name, then renamed; the earlier one is deleted last."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from coig.study.arm import Arm
from coig.training.failures import check_weights


class Checkpoints(Checkpoint):
    """A callback that saves the run's state at intervals and after each epoch, and keeps the last one.

    It saves every `every` optimizer steps, and `minutes` after the last time if that comes first.

    A kill at any moment leaves the last checkpoint or the one before. The checkpoint of the last step is saved after
    the validation, because a run resumed from it would not validate again.
    """

    def __init__(self, arm: Arm, every: int, minutes: float) -> None:
        self.arm = arm
        self.every, self.minutes = every, minutes
        self.last_saved = -1
        self.saved_at = monotonic()

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        """Make the folder of checkpoints, and count the minutes from here."""
        self.saved_at = monotonic()
        self.arm.checkpoint_of(0).parent.mkdir(
            exist_ok=True
        )  # only here, so that a folder deleted during the run is not made again

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Save if so many steps or minutes have passed, except where the end of an epoch saves anyway."""
        ends = trainer.is_last_batch or trainer.global_step == module.total_steps
        if not ends and (trainer.global_step % self.every == 0 or self._is_late(trainer)):
            self._save(trainer)

    def _is_late(self, trainer: Any) -> bool:
        """Tell on all ranks whether, by the first rank's clock, the last checkpoint is too old."""
        late: bool = trainer.strategy.broadcast(monotonic() - self.saved_at > 60 * self.minutes)
        return late

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Save after each epoch."""
        self._save(trainer)

    def _save(self, trainer: Any) -> None:
        """Write the checkpoint of the current step, on all ranks, and delete earlier ones."""
        if trainer.global_step == self.last_saved:
            return
        check_weights(trainer.lightning_module, trainer.global_step)
        final = self.arm.checkpoint_of(trainer.global_step)
        partial = final.with_name(f".{final.name}.partial")
        if trainer.is_global_zero:
            remove_checkpoint(partial)  # left by a killed run
        trainer.strategy.barrier()
        try:
            trainer.save_checkpoint(partial)
        except BaseException:
            remove_checkpoint(partial)  # frees a full disk
            raise
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            for file in [partial, *partial.rglob("*")]:
                _to_disk(file)
            partial.replace(final)
            _to_disk(final.parent)
            for earlier in final.parent.iterdir():
                if earlier != final:
                    remove_checkpoint(earlier)
        trainer.strategy.barrier()
        self.last_saved, self.saved_at = trainer.global_step, monotonic()


class DirectIO(TorchCheckpointIO):
    """Checkpoint IO without Lightning's copy of the whole checkpoint in memory."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint straight to its file."""
        torch.save(checkpoint, path)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Map a checkpoint's tensors from its file into CPU memory."""
        loaded: dict[str, Any] = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        return loaded


def remove_checkpoint(path: Path) -> None:
    """Delete a checkpoint, a file or a folder, if it exists."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Flush a file or folder to the disk, so that a power cut after the rename cannot lose it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
