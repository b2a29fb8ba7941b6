"""Write an arm's weights as a model that plain transformers loads, in the form that its config asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from coig.config import TrainConfig
from coig.models.causal_lm import CausalLM
from coig.models.export import export
from coig.models.loading import load_model
from coig.models.quantized import gather_unquantized
from coig.training.ranks import is_first
from coig.training.sharding import whole_weights


@dataclass(frozen=True)
class Exporter:
    """Writes exports of `model`, as it is at that moment.

    lm: the causal LM in it, as it was loaded, of which only the configs are read.
    """

    config: TrainConfig
    model: CausalLM
    lm: Any
    tokenizer: Any
    generation_config: GenerationConfig

    @property
    def dtype(self) -> torch.dtype:
        """Return the dtype of exported weights."""
        published: torch.dtype = self.lm.published_dtype
        return torch.float32 if self.config.model.export_dtype == "float32" else published

    def write(self, folder: Path) -> bool:
        """Write the model to `folder`, atomically, with adapters merged and, beside it in `adapter/`, alone.

        All ranks must call it; the first one writes. Returns whether exported weights differ from the trained ones, by
        rounding or merged adapters; False on other ranks.
        """
        weights, lora = self._gather(), self.config.model.lora
        if not is_first():
            return False
        export(self.lm, weights, lora, self.tokenizer, self.generation_config, folder, self.dtype)
        return bool(lora) or any(weight.dtype != self.dtype for weight in weights.values())

    def _gather(self) -> dict[str, torch.Tensor]:
        """Return the whole weights by name, on the CPU, on the first rank, {} on the others; all ranks must call it.

        A quantized model gets the base's weights as they were published.
        """
        if self.config.model.lora and self.config.model.is_quantized:
            base = load_model(self.config.model, self.config.seed)
            return gather_unquantized(self.model.lm, base, self.config.model.lora)
        return whole_weights(self.model)
