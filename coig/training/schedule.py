"""The learning rate over an arm's optimizer steps: a warm-up, then one of three courses."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from coig.config.training import Scheduler


def make_schedule(optimizer: Optimizer, scheduler: Scheduler, steps: int) -> LambdaLR:
    """Return the schedule of an optimizer's rates over `steps` steps.

    The warm-up takes a share of the steps, rounded up, but never all of them: its first step has rate 0.
    """
    warmup = min(math.ceil(scheduler.warmup * steps), steps - 1)
    return LambdaLR(optimizer, partial(rate_factor, name=scheduler.name, warmup=warmup, steps=steps))


def rate_factor(
    step: int, *, name: Literal["linear", "cosine", "constant_with_warmup"], warmup: int, steps: int
) -> float:
    """Return the factor, 0 to 1, of the highest learning rate at a step; the first is step 0.

    It rises linearly over `warmup` steps, then stays at 1, or falls to 0 at `steps`, linearly or as half a cosine. The
    factors are those of `transformers.get_scheduler`, bit for bit; importing that takes a second, for peft and
    bitsandbytes.
    """
    if step < warmup:
        return step / warmup
    done = (step - warmup) / (steps - warmup)
    match name:
        case "linear":
            return max(0.0, (steps - step) / (steps - warmup))
        case "cosine":
            return max(0.0, 0.5 * (1.0 + math.cos(math.pi * done)))
        case "constant_with_warmup":
            return 1.0
