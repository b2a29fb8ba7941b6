"""The Lightning view of the data: one batch is one optimizer step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lightning import LightningDataModule
from torch.utils.data import DataLoader

from coig.data.batches import EpochPermutation, MicroBatch, micro_batches
from coig.data.dataset import Encoded


class MixtureDataModule(LightningDataModule):
    """Steps of `global_batch_size` examples of the epoch's permutation, each a list of micro-batches."""

    def __init__(
        self,
        train: Sequence[Encoded],
        validation: Sequence[Encoded],
        *,
        pad_id: int,
        seed: int,
        global_batch_size: int,
        tokens_per_micro_batch: int,
    ) -> None:
        super().__init__()
        self.train, self.validation = train, validation
        self.seed = seed
        self.global_batch_size = global_batch_size
        self.collate = partial(micro_batches, pad_id=pad_id, token_budget=tokens_per_micro_batch)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps, the last of which may hold fewer examples."""
        return -(-len(self.train) // self.global_batch_size)

    def train_dataloader(self) -> DataLoader[list[MicroBatch]]:
        order = EpochPermutation(self.train, self.seed)
        return DataLoader(self.train, self.global_batch_size, sampler=order, collate_fn=self.collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[list[MicroBatch]]:
        return DataLoader(self.validation, self.global_batch_size, collate_fn=self.collate)  # type: ignore[arg-type]
