"""From encoded examples to optimizer steps: documents end to end without padding, and a loader that can be resumed."""

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

from coig.config.fields import LANGUAGES
from coig.data.encoded import Encoded
from coig.data.encoding import Segment
from coig.data.packing import layout

KINDS = ("creative", "general")
# whose losses are told apart: kind, language, segment
GROUPS = tuple(f"{kind}/{lang}/{segment.name.lower()}" for kind in KINDS for lang in LANGUAGES for segment in Segment)


class MicroBatch(NamedTuple):
    """One forward pass over D documents of T tokens in all, S of which bear loss.

    input_ids: (T,) int64; position_ids: (T,) int64, from 0 in every document; cu_seqlens: (D + 1,) int32, where the
    documents begin and end; max_seqlen: tokens of the longest one. rows: (S,) int64, the tokens whose successor bears
    loss; targets: (S,) int64, those successors; weights: (S,) float32, their loss weights; groups: (S,) int64, their
    places in GROUPS.
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
    """One rank's share of an optimizer step; all but its micro-batches is of the whole step, on all ranks.

    total_weight: the sum of loss weights; group_tokens: how many tokens of each of GROUPS bear loss; lengths: tokens of
    each document, as `ids` names them; padding: tokens of no document, which keep a rank without any in step.
    """

    micro_batches: list[MicroBatch]
    total_weight: float
    group_tokens: list[int]
    ids: list[str]
    lengths: list[int]
    padding: int


@dataclass(frozen=True)
class Stepper:
    """How examples become a step: micro-batches of at most `tokens_per_micro_batch`, shared out among the ranks."""

    tokens_per_micro_batch: int
    attention_cost: float = 0.0
    rank: int = 0
    ranks: int = 1

    def step(self, examples: Sequence[Encoded]) -> Step:
        lengths = [len(example.input_ids) for example in examples]
        shares = layout(lengths, self.tokens_per_micro_batch, self.ranks, self.attention_cost)
        supervised = [_supervised(example) for example in examples]
        group_tokens = Counter(chain.from_iterable(groups.tolist() for _, _, groups in supervised))
        return Step(
            [_micro_batch([examples[n] for n in numbers]) for numbers in shares[self.rank]],
            float(sum(weights.sum(dtype=np.float64) for _, weights, _ in supervised)),
            [group_tokens[group] for group in range(len(GROUPS))],
            [example.id for example in examples],
            lengths,
            padding=sum(not numbers for share in shares for numbers in share),
        )


def _supervised(example: Encoded) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """The tokens that bear loss: their places, weights and groups. A first token has nothing it could follow from."""
    weights = example.weights
    places = 1 + np.flatnonzero(weights[1:])
    first_group = (KINDS.index(example.kind) * len(LANGUAGES) + LANGUAGES.index(example.lang)) * len(Segment)
    return places, weights[places], first_group + example.segments[places]


def _micro_batch(examples: Sequence[Encoded]) -> MicroBatch:
    """The documents end to end. Without any, one token that bears no loss keeps a rank in step with the others."""
    documents = [example.input_ids for example in examples] or [np.zeros(1, dtype=np.int32)]
    lengths = [len(document) for document in documents]
    starts = [0, *accumulate(lengths)]
    ids = np.concatenate(documents).astype(np.int64)
    supervised = [_supervised(example) for example in examples]
    targets = _joined([places + start for (places, _, _), start in zip(supervised, starts, strict=False)], np.int64)
    return MicroBatch(
        input_ids=torch.from_numpy(ids),
        position_ids=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths])),
        cu_seqlens=torch.tensor(starts, dtype=torch.int32),
        max_seqlen=max(lengths),
        rows=torch.from_numpy(targets - 1),
        targets=torch.from_numpy(ids[targets]),
        weights=torch.from_numpy(_joined([weights for _, weights, _ in supervised], np.float32)),
        groups=torch.from_numpy(_joined([groups for _, _, groups in supervised], np.int64)),
    )


def _joined(parts: list[Any], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts])


def epoch_order(examples: int, seed: int, epoch: int) -> list[int]:
    """The numbers of the examples in the order in which an epoch, counted from 0, takes them."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(examples, generator=generator).tolist()


class StepLoader:
    """The steps of an epoch, `batch_size` examples each (the last may hold fewer); sized, and resumable at any step.

    With a seed every epoch, counted from `epoch`, has an order of its own, drawn from (seed, epoch) alone; without one
    the order is that of the examples. Lightning takes `state_dict` along in its checkpoints, but leaves it aside where
    an epoch had ended: then `epoch` counts.
    """

    def __init__(
        self, examples: Sequence[Encoded], batch_size: int, stepper: Stepper, seed: int | None = None, epoch: int = 0
    ) -> None:
        self.examples, self.batch_size, self.stepper, self.seed = examples, batch_size, stepper, seed
        self.epoch, self.steps_done = epoch - 1, len(self)

    def __len__(self) -> int:
        return -(-len(self.examples) // self.batch_size)

    def __iter__(self) -> Iterator[Step]:
        if self.steps_done == len(self):
            self.epoch, self.steps_done = self.epoch + 1, 0
        count = len(self.examples)
        order = list(range(count)) if self.seed is None else epoch_order(count, self.seed, self.epoch)
        while self.steps_done < len(self):
            first = self.steps_done * self.batch_size
            self.steps_done += 1  # before the step is handed out: whoever saves the state then has had it
            yield self.stepper.step([self.examples[number] for number in order[first : first + self.batch_size]])

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "steps_done": self.steps_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """The next iteration goes on where the saved one was."""
        self.epoch, self.steps_done = state["epoch"], state["steps_done"]
