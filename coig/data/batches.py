"""From encoded examples to optimizer steps: padded micro-batches under a token budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Sampler

from coig.data.dataset import Encoded


class MicroBatch(NamedTuple):
    """One forward pass over B examples, padded on the right to T tokens.

    input_ids: (B, T) int64; weights: (B, T) float32, the loss weight of predicting the token that stands there (0 for
    padding, for context and for each first token). No attention mask: under causal attention no token sees the padding
    to its right, and without a mask the attention kernel is the fast one.
    total_weight: the sum of weights; supervised_tokens: how many are above 0.
    """

    input_ids: Tensor
    weights: Tensor
    total_weight: float
    supervised_tokens: int


def micro_batches(examples: Sequence[Encoded], pad_id: int, token_budget: int) -> list[MicroBatch]:
    """Lay out the examples of one step, longest first, so that no micro-batch exceeds the budget of padded tokens.

    The layout bears on speed and memory only: the loss is normalised over the whole step. An example of more tokens
    than the budget gets a micro-batch of its own.
    """
    rest = sorted(examples, key=lambda example: len(example.input_ids), reverse=True)
    batches = []
    while rest:
        rows = max(1, token_budget // len(rest[0].input_ids))
        batches.append(_pad(rest[:rows], pad_id))
        rest = rest[rows:]
    return batches


def _pad(examples: Sequence[Encoded], pad_id: int) -> MicroBatch:
    shape = len(examples), len(examples[0].input_ids)
    ids = torch.full(shape, pad_id, dtype=torch.long)
    weights = torch.zeros(shape)
    for row, example in enumerate(examples):
        length = len(example.input_ids)
        ids[row, :length] = torch.tensor(example.input_ids)
        weights[row, 1:length] = torch.tensor(example.weights[1:])
    return MicroBatch(ids, weights, float(weights.sum()), int((weights > 0).sum()))


class EpochPermutation(Sampler[int]):
    """A new order in every epoch, drawn from (seed, epoch) alone, so that a resumed run sees the same one."""

    def __init__(self, data: Sized, seed: int) -> None:
        self.size = len(data)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        yield from torch.randperm(self.size, generator=generator).tolist()

    def __len__(self) -> int:
        return self.size
