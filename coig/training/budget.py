"""Compute from an arm's budget for how many steps it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, count, islice

import numpy as np

from coig.config import TrainConfig
from coig.data.encoded import EncodedSet
from coig.data.steps import epoch_order


def count_steps(config: TrainConfig, train: EncodedSet, others: EncodedSet | None) -> int:
    """Return for how many optimizer steps an arm is trained.

    The budget `steps` copies the number from another arm; `supervised_tokens` gives the number whose supervised tokens
    are nearest to the other arm's.

    Args:
        train: the arm's training examples.
        others: the training examples of the arm whose budget is copied; None: the arm has its own number of epochs.
    """
    if others is None:
        return config.trainer.total_steps(len(train))
    like = config.like
    steps = like.trainer.total_steps(len(others))
    if config.budget.name == "supervised_tokens":
        return _steps_nearest(supervised_tokens(like, others, steps), config, train)
    return steps


def supervised_tokens(config: TrainConfig, train: EncodedSet, steps: int) -> int:
    """Return the number of supervised tokens in an arm's first `steps` steps together, of one epoch or several."""
    return sum(islice(_tokens_of_steps(config, train), steps))


def _steps_nearest(tokens: int, config: TrainConfig, train: EncodedSet) -> int:
    """Return the number of steps, at least 1, whose supervised tokens are nearest to `tokens`; of two, the larger."""
    before = 0
    for steps, learned in enumerate(accumulate(_tokens_of_steps(config, train)), 1):
        if learned >= tokens:
            return max(1, steps if learned - tokens <= tokens - before else steps - 1)
        before = learned
    raise AssertionError("epochs do not end")


def _tokens_of_steps(config: TrainConfig, train: EncodedSet) -> Iterator[int]:
    """Yield the number of supervised tokens of each step, over endlessly many epochs."""
    starts = np.arange(0, len(train), config.trainer.global_batch_size)
    for epoch in count():
        order = epoch_order(len(train), config.seed, epoch)
        yield from np.add.reduceat(train.supervised[order], starts).tolist()
