"""Load models after training, to measure them as they were trained: on the run's device and in its precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from coig.config import Model, TrainConfig
from coig.models.loading import load_model
from coig.study.arm import Arm


def device_of(config: TrainConfig) -> torch.device:
    """Return the kind of device on which the run computes."""
    return torch.device("cuda" if config.trainer.accelerator == "gpu" else "cpu")


def load_exported(config: TrainConfig, arm: Arm) -> Any:
    """Return the arm's exported model in evaluation mode, on the run's device."""
    exported = {"path": str(arm.model), "revision": None, "weights": "pretrained"}
    return _load(config.model.model_copy(update=exported), config)


def load_base(config: TrainConfig) -> Any:
    """Return the model that training began with, in evaluation mode, on the run's device."""
    return _load(config.model, config)


def _load(model: Model, config: TrainConfig) -> Any:
    """Return a model as `load_model` loads it, in evaluation mode, on the run's device."""
    return load_model(model, config.seed).eval().to(device_of(config))


@contextmanager
def computing_as_trained(config: TrainConfig) -> Iterator[None]:
    """Compute the block in the run's precision, without gradients."""
    mixed = config.trainer.precision == "bf16-mixed"
    with torch.no_grad(), torch.autocast(device_of(config).type, torch.bfloat16, enabled=mixed):
        yield
