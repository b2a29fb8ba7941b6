"""Low-rank adapters (LoRA, arXiv 2106.09685) through peft: the model's weights are frozen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from coig.errors import ConfigError, first_line

if TYPE_CHECKING:
    from coig.config import Lora


def add_adapters(lm: Any, lora: Lora) -> Any:
    """Insert adapters into the model in place, freeze all other weights and return peft's wrapper of the model.

    Raises ConfigError if `lora.targets` lists a name that no module has, is a pattern that matches none, or includes
    embeddings or output head.
    """
    from peft import LoraConfig, get_peft_model  # here, as its import takes a third of a second

    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        task_type="CAUSAL_LM",
    )
    names = {name.rpartition(".")[2] for name, _ in lm.named_modules()}
    ends = {lm.get_input_embeddings(), lm.get_output_embeddings()}
    if unknown := [name for name in lora.targets if name not in names] if not isinstance(lora.targets, str) else []:
        raise ConfigError(f"model.lora.targets={lora.targets}: the model has no {unknown[0]}; or all-linear")
    try:
        adapted = get_peft_model(lm, settings)
    except (ValueError, re.error) as error:
        raise ConfigError(f"model.lora.targets={lora.targets}: {first_line(error)}; or all-linear") from None
    if ends != {lm.get_input_embeddings(), lm.get_output_embeddings()}:  # tied: merging into one changes the other
        raise ConfigError(
            f"model.lora.targets={lora.targets}: embeddings and output head take no adapters; leave them out"
        )
    if not isinstance(settings.target_modules, str):  # a set, which peft would write in another order in each process
        settings.target_modules = sorted(settings.target_modules)
    return adapted
