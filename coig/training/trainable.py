"""Prepare a loaded model for training."""

from __future__ import annotations

from typing import Any

import torch

from coig.config import TrainConfig
from coig.errors import ConfigError
from coig.models.adapters import add_adapters
from coig.models.causal_lm import CausalLM, freeze_unused


def make_trainable(lm: Any, config: TrainConfig, recomputed_layers: int) -> CausalLM:
    """Return a model of transformers as a CausalLM ready for training; the model is changed in place.

    Its unused weights are frozen; adapters, recomputation of activations and compilation are added as configured.
    Frozen weights beside adapters become bf16 if training computes in bf16 and they were published so. Raises
    ConfigError if the model has fewer layers than `recomputed_layers`.
    """
    if config.model.lora:
        add_adapters(lm, config.model.lora)
        if config.trainer.precision == "bf16-mixed" and lm.published_dtype == torch.bfloat16:  # loses nothing
            for weight in lm.parameters():
                weight.data = weight.data if weight.requires_grad else weight.data.bfloat16()
    freeze_unused(lm)
    model = CausalLM(lm)
    if recomputed_layers > (layers := len(model.layers)):
        raise ConfigError(
            f"trainer.activation_checkpointing={recomputed_layers}: the model has {layers} layers that can"
        )
    model.checkpoint_activations(recomputed_layers)
    if config.trainer.compile:
        model.compile_layers()
    return model
