"""The learning rate's course is that of transformers' schedules, bit for bit."""

import math
from typing import Literal

import pytest
import torch
from torch.nn import Parameter
from transformers import get_scheduler

from coig.config.training import Scheduler
from coig.training.schedule import make_schedule, rate_factor

RATE = 3e-4


def rates_of(schedule: torch.optim.lr_scheduler.LambdaLR, steps: int) -> list[float]:
    """Return the rates of `steps` steps and the one after."""
    found = []
    for _ in range(steps + 1):
        found += [float(rate) for rate in schedule.get_last_lr()]
        schedule.optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("name", ["linear", "cosine", "constant_with_warmup"])
@pytest.mark.parametrize(("warmup", "steps", "warm"), [(0.0, 7, 0), (0.1, 7, 1), (0.5, 40, 20), (0.9, 1, 0)])
def test_rates_are_those_of_transformers(
    name: Literal["linear", "cosine", "constant_with_warmup"], warmup: float, steps: int, warm: int
) -> None:
    ours, theirs = (torch.optim.AdamW([Parameter(torch.zeros(1))], lr=RATE) for _ in range(2))
    schedule = make_schedule(ours, Scheduler(name=name, warmup=warmup), steps)
    assert rates_of(schedule, steps) == rates_of(get_scheduler(name, theirs, warm, steps), steps)


def test_the_course_of_each() -> None:
    linear = [rate_factor(step, name="linear", warmup=2, steps=6) for step in range(7)]
    assert linear == [0, 0.5, 1, 0.75, 0.5, 0.25, 0]
    cosine = [rate_factor(step, name="cosine", warmup=2, steps=6) for step in range(7)]
    assert cosine == pytest.approx([0, 0.5, 1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0])
    constant = [rate_factor(step, name="constant_with_warmup", warmup=2, steps=6) for step in range(7)]
    assert constant == [0, 0.5, 1, 1, 1, 1, 1]
