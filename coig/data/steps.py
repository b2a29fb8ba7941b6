"""Make optimizer steps of encoded examples: documents packed without padding, and a loader that can be resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coig.data.packing import pack_documents
from coig.data.tokens import Encoded, Segment
from coig.text.language_codes import LANGUAGES

KINDS = ("creative", "general")
# losses are reported for each kind/language/segment
GROUPS = tuple(f"{kind}/{lang}/{segment.name.lower()}" for kind in KINDS for lang in LANGUAGES for segment in Segment)


class MicroBatch(NamedTuple):
    """The tensors of one forward pass over D documents with T tokens in all, S of them supervised.

    input_ids: (T,) int64. position_ids: (T,) int64, from 0 in every document. cu_seqlens: (D + 1,) int32, the bounds of
    the documents. max_seqlen: tokens of the longest document. targets: (S,) int64, ids of the supervised tokens. rows:
    (S,) int64, indices of the tokens before them, which predict them. weights: (S,) float32, their loss weights.
    groups: (S,) int64, their indices in GROUPS.
    """

    input_ids: Tensor
    position_ids: Tensor
    cu_seqlens: Tensor
    max_seqlen: int
    rows: Tensor
    targets: Tensor
    weights: Tensor
    groups: Tensor


class Step(NamedTuple):
    """One rank's micro-batches of an optimizer step, and totals of the whole step over all ranks.

    total_weight: sum of loss weights. group_tokens: number of supervised tokens of each of GROUPS. ids: the ids of the
    step's examples. lengths: their numbers of tokens, in the same order. padding: number of dummy tokens, one for each
    empty micro-batch.
    """

    micro_batches: list[MicroBatch]
    total_weight: float
    group_tokens: list[int]
    ids: list[str]
    lengths: list[int]
    padding: int


@dataclass(frozen=True)
class Stepper:
    """Settings that turn the examples of a step into one rank's micro-batches.

    tokens_per_micro_batch: most tokens in a micro-batch, but for a longer document. attention_cost: cost of a squared
    token in tokens, as in `pack_documents`. rank, ranks: this process and the number of processes.
    """

    tokens_per_micro_batch: int
    attention_cost: float = 0.0
    rank: int = 0
    ranks: int = 1

    def step(self, examples: Sequence[Encoded]) -> Step:
        """Return the step of these examples: this rank's micro-batches, and totals over the examples of all ranks."""
        lengths = [len(example.input_ids) for example in examples]
        shares = pack_documents(lengths, self.tokens_per_micro_batch, self.ranks, self.attention_cost)
        supervised = [_list_supervised(example) for example in examples]
        group_tokens = Counter(chain.from_iterable(groups.tolist() for _, _, groups in supervised))
        return Step(
            [_micro_batch([examples[n] for n in numbers]) for numbers in shares[self.rank]],
            float(sum(weights.sum(dtype=np.float64) for _, weights, _ in supervised)),
            [group_tokens[group] for group in range(len(GROUPS))],
            [example.id for example in examples],
            lengths,
            padding=sum(not numbers for share in shares for numbers in share),
        )


def _list_supervised(example: Encoded) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Return for the S supervised tokens of an example their indices, loss weights and indices in GROUPS, (S,) each.

    The first token is never supervised, as no token predicts it.
    """
    weights = example.weights
    indices = 1 + np.flatnonzero(weights[1:])
    first_group = (KINDS.index(example.kind) * len(LANGUAGES) + LANGUAGES.index(example.lang)) * len(Segment)
    return indices, weights[indices], first_group + example.segments[indices]


def _micro_batch(examples: Sequence[Encoded]) -> MicroBatch:
    """Return the micro-batch that these examples make, end to end.

    Without examples it has one unsupervised token, as ranks must run equally many micro-batches.
    """
    documents = [example.input_ids for example in examples] or [np.zeros(1, dtype=np.int32)]
    lengths = [len(document) for document in documents]
    starts = [0, *accumulate(lengths)]
    ids = np.concatenate(documents).astype(np.int64)
    supervised = [_list_supervised(example) for example in examples]
    targets = _concatenate(
        [indices + start for (indices, _, _), start in zip(supervised, starts, strict=False)], np.int64
    )
    return MicroBatch(
        input_ids=torch.from_numpy(ids),
        position_ids=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths])),
        cu_seqlens=torch.tensor(starts, dtype=torch.int32),
        max_seqlen=max(lengths),
        rows=torch.from_numpy(targets - 1),
        targets=torch.from_numpy(ids[targets]),
        weights=torch.from_numpy(_concatenate([weights for _, weights, _ in supervised], np.float32)),
        groups=torch.from_numpy(_concatenate([groups for _, _, groups in supervised], np.int64)),
    )


def _concatenate(parts: list[Any], dtype: type) -> NDArray[Any]:
    """Concatenate arrays; without any, return an empty array of `dtype`."""
    return np.concatenate([np.zeros(0, dtype), *parts])


def epoch_order(examples: int, seed: int, epoch: int) -> list[int]:
    """Return the indices of `examples` examples, shuffled by `seed` and `epoch` (counted from 0) alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(examples, generator=generator).tolist()


class StepLoader:
    """An iterable of an epoch's steps, `batch_size` examples each but for the last, that can be resumed at any step.

    With a seed, each epoch has an order that depends on (seed, epoch) alone; without one, examples keep their order.
    The first iteration is the epoch `epoch`. Lightning saves `state_dict` in its checkpoints but does not restore it if
    an epoch had ended; then `epoch` says where to continue.
    """

    def __init__(
        self, examples: Sequence[Encoded], batch_size: int, stepper: Stepper, seed: int | None = None, epoch: int = 0
    ) -> None:
        self.examples, self.batch_size, self.stepper, self.seed = examples, batch_size, stepper, seed
        self.epoch, self.steps_done = epoch - 1, len(self)

    def __len__(self) -> int:
        """Return the number of steps in a whole epoch."""
        return -(-len(self.examples) // self.batch_size)

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps of the current epoch that are left; if none is, begin the next epoch and yield its steps."""
        if self.steps_done == len(self):
            self.epoch, self.steps_done = self.epoch + 1, 0
        count = len(self.examples)
        order = list(range(count)) if self.seed is None else epoch_order(count, self.seed, self.epoch)
        while self.steps_done < len(self):
            first = self.steps_done * self.batch_size
            self.steps_done += 1  # before `yield`: a state saved meanwhile counts this step as done
            yield self.stepper.step([self.examples[number] for number in order[first : first + self.batch_size]])

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the number of its steps that were yielded."""
        return {"epoch": self.epoch, "steps_done": self.steps_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iteration continue after the steps of a saved state."""
        self.epoch, self.steps_done = state["epoch"], state["steps_done"]
