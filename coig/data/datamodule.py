"""The Lightning data module: one batch is one optimizer step."""

from __future__ import annotations

from collections.abc import Sequence

from lightning import LightningDataModule

from coig.config import Trainer
from coig.data.steps import StepLoader, Stepper
from coig.data.tokens import Encoded


class MixtureDataModule(LightningDataModule):
    """Loaders of training steps, shuffled anew every epoch, and of validation steps, in a fixed order.

    A step has `global_batch_size` examples; each rank gets its share of them in micro-batches.
    """

    def __init__(
        self,
        train: Sequence[Encoded],
        validation: Sequence[Encoded],
        settings: Trainer,
        tokens_per_micro_batch: int,
        attention_cost: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.train, self.validation = train, validation
        self.settings, self.tokens_per_micro_batch = settings, tokens_per_micro_batch
        self.attention_cost, self.seed = attention_cost, seed

    def train_dataloader(self) -> StepLoader:
        """Return the training steps, from the trainer's current epoch on."""
        # `trainer.current_epoch` is one too low if a run is resumed from the end of an epoch
        epoch = self.trainer.fit_loop.epoch_progress.current.processed
        return StepLoader(self.train, self.settings.global_batch_size, self._stepper(), self.seed, epoch)

    def val_dataloader(self) -> StepLoader:
        """Return the validation steps, in the examples' order."""
        return StepLoader(self.validation, self.settings.global_batch_size, self._stepper())

    def _stepper(self) -> Stepper:
        """Return the stepper of this rank."""
        return Stepper(
            self.tokens_per_micro_batch, self.attention_cost, self.trainer.global_rank, self.trainer.world_size
        )
