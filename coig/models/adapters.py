"""Low-rank adapters (LoRA, arXiv 2106.09685) through peft: the model's own weights stay as they are."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, get_peft_model

from coig.config import ConfigError, first_line
from coig.schema import Lora


def add_adapters(lm: Any, lora: Lora) -> Any:
    """Put adapters into the model, in place, and freeze all else; returns peft's view of it.

    Raises ConfigError if the model has no modules of these names.
    """
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(lm, settings)
    except ValueError as error:
        raise ConfigError(f"model.lora.targets={lora.targets}: {first_line(error)}; or all-linear") from None
