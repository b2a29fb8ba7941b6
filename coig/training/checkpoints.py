"""Write checkpoints atomically: under a temporary name, then renamed; the earlier one is deleted last."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from time import monotonic
from typing import Any, NoReturn

import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.distributed.checkpoint.api import CheckpointException

from coig.config.process import Preempted
from coig.errors import ConfigError, first_line
from coig.study.arm import Arm
from coig.training.failures import check_weights
from coig.training.preemption import Preemption
from coig.training.ranks import is_first
from coig.training.sharded_files import REST, read_metadata
from coig.training.state import is_sound
from coig.training.strategies import Sharded


class Checkpoints(Checkpoint):
    """A callback that saves the run's state at intervals and after each epoch, and keeps the last one.

    It saves every `every` optimizer steps, and `minutes` after the last time if that comes first. Sharded checkpoints
    are written while training goes on, and count once they are complete.

    A signal that asks the run to stop, which `preemption` notes, makes it save after the step and leave training.

    A kill at any moment leaves the last complete checkpoint or the one before. The checkpoint of the last step is saved
    after the validation, because a run resumed from it would not validate again.
    """

    def __init__(self, arm: Arm, every: int, minutes: float) -> None:
        self.arm = arm
        self.preemption = Preemption()
        self.every, self.minutes = every, minutes
        self.last_saved = -1
        self.saved_at = monotonic()
        self.is_unfinished = False  # whether the checkpoint of the step `last_saved` still has its temporary name

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        """Make the folder of checkpoints, and count the minutes from here."""
        self.saved_at = monotonic()
        # only here, so that a folder deleted during the run is not made again
        self.arm.checkpoint_of(0).parent.mkdir(exist_ok=True)

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Listen for signals, now that Lightning has set its own handlers."""
        self.preemption.listen()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Save if so many steps or minutes have passed, except where the end of an epoch saves anyway.

        Also give a sharded checkpoint its final name once it is written.
        """
        if trainer.is_global_zero and (writing := _writing(trainer)) and writing.done():
            self._finish(trainer)
        if trainer.is_last_batch or trainer.global_step == module.total_steps:
            return
        is_late, is_asked_to_stop = self._look_around(trainer)
        if trainer.global_step % self.every == 0 or is_late or is_asked_to_stop:
            self._save(trainer)
        if is_asked_to_stop:
            self._stop(trainer)

    def _look_around(self, trainer: Any) -> tuple[bool, bool]:
        """Tell whether the last checkpoint is too old, and whether to stop; all ranks follow the first one."""
        found = monotonic() - self.saved_at > 60 * self.minutes, self.preemption.received is not None
        agreed: tuple[bool, bool] = trainer.strategy.broadcast(found)
        return agreed

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Save after each epoch; then leave training if a signal asked for that and steps are left."""
        self._save(trainer)
        if trainer.global_step < module.total_steps and self._look_around(trainer)[1]:
            self._stop(trainer)

    def _stop(self, trainer: Any) -> NoReturn:
        """Leave training once the last checkpoint is complete."""
        self._finish(trainer)
        raise Preempted(self.preemption.received or signal.SIGTERM)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Wait until the last checkpoint is complete."""
        self._finish(trainer)

    def _save(self, trainer: Any) -> None:
        """Write the checkpoint of the current step, on all ranks; do nothing if it is written already.

        A sharded one may be finished later. Raises ConfigError if a weight is not finite.
        """
        if trainer.global_step == self.last_saved:
            return
        self._finish(trainer)
        check_weights(trainer.lightning_module, trainer.global_step)
        partial = _partial(self.arm.checkpoint_of(trainer.global_step))
        if trainer.is_global_zero:
            remove_checkpoint(partial)  # left by a killed run
        trainer.strategy.barrier()
        with _removed_on_failure(partial):
            trainer.save_checkpoint(partial)
        self.last_saved, self.saved_at, self.is_unfinished = trainer.global_step, monotonic(), True
        if not _writing(trainer):
            self._finish(trainer)
            trainer.strategy.barrier()

    def _finish(self, trainer: Any) -> None:
        """Wait until the last checkpoint is written, give it its name, and delete earlier ones.

        Do nothing if that is done already.
        """
        if not self.is_unfinished:
            return
        final = self.arm.checkpoint_of(self.last_saved)
        if writing := _writing(trainer):
            with _removed_on_failure(_partial(final)):
                _wait_for(writing)
        if trainer.is_global_zero:
            _publish(_partial(final), final)
        self.is_unfinished = False


def _writing(trainer: Any) -> Future[Any] | None:
    """Return the write in the background that the strategy began last; None if it writes at once."""
    return trainer.strategy.writing if isinstance(trainer.strategy, Sharded) else None


def _wait_for(writing: Future[Any]) -> None:
    """Wait for a write; if it failed, raise the error of the first rank that failed."""
    try:
        writing.result()
    except CheckpointException as error:
        problem, _ = next(iter(error.failures.values()))
        raise problem from error


@contextmanager
def _removed_on_failure(partial: Path) -> Iterator[None]:
    """Remove an unfinished checkpoint if the block fails, which frees a full disk."""
    try:
        yield
    except BaseException:
        if is_first():
            remove_checkpoint(partial)
        raise


def _partial(final: Path) -> Path:
    """Return the path of a checkpoint under its temporary name."""
    return final.with_name(f".{final.name}.partial")


def _publish(partial: Path, final: Path) -> None:
    """Flush a complete checkpoint to the disk and give it its name; then delete all others beside it."""
    for file in [partial, *partial.rglob("*")]:
        _to_disk(file)
    partial.replace(final)
    _to_disk(final.parent)
    for earlier in final.parent.iterdir():
        if earlier != final:
            remove_checkpoint(earlier)


class DirectIO(TorchCheckpointIO):
    """Checkpoint IO without Lightning's copy of the whole checkpoint in memory."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint straight to its file. Raises OSError if that cannot be opened, where torch would not."""
        with Path(path).open("wb") as stream:
            torch.save(checkpoint, stream)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Return a checkpoint whose tensors are mapped from its file into CPU memory, whatever the other arguments."""
        return _load_plain(Path(path))


def check_checkpoint(path: Path) -> None:
    """Raise ConfigError if a checkpoint, a file or a folder, is damaged or holds more than tensors and plain values."""
    if path.is_dir():
        read_metadata(path)
        path = path / REST
        if not is_sound(path):
            raise ConfigError(f"{path}: damaged; overwrite=true trains this arm anew")
    _load_plain(path)


def _load_plain(file: Path) -> dict[str, Any]:
    """Return what a file of torch's holds, its tensors mapped into CPU memory; nothing of it is run.

    Raises ConfigError if it is damaged, or holds more than tensors and plain values.
    """
    try:
        loaded: dict[str, Any] = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place in the file that cannot be
            raise
        problem = f"damaged: {first_line(error)}"
    except UnpicklingError:  # its message advises to run what the file holds
        problem = "holds more than tensors and plain values"
    except Exception as error:  # a damaged file may raise anything
        problem = f"damaged: {first_line(error)}"
    else:
        return loaded
    raise ConfigError(f"{file}: {problem}; overwrite=true trains this arm anew")


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
