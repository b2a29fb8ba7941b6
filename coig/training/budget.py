"""Compute from an arm's budget for how many steps it is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate, count, islice

import numpy as np

from coig.config import TrainConfig
from coig.data.encoded import EncodedSet
from coig.data.steps import epoch_order


def apply_budget(config: TrainConfig, train: EncodedSet, others: EncodedSet | None) -> TrainConfig:
    """Return the config with max_epochs and max_steps set so that the arm trains as long as another arm.

    The budget `steps` matches the other arm's number of steps, `supervised_tokens` its number of supervised tokens.

    Args:
        train: the arm's training examples.
        others: the training examples of the arm whose budget is copied; None: return the config as it is.
    """
    if others is None:
        return config
    like = config.like
    steps = like.trainer.total_steps(len(others))
    if config.budget.name == "supervised_tokens":
        steps = _steps_nearest(supervised_tokens(like, others, steps), config, train)
    epochs = math.ceil(steps / config.trainer.steps_per_epoch(len(train)))
    lengths = {"max_epochs": epochs, "max_steps": steps}
    return config.model_copy(update={"trainer": config.trainer.model_copy(update=lengths)})


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
