"""Export a trained model as a folder that plain transformers 4 or 5 loads."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from coig.config import Lora
from coig.errors import ConfigError
from coig.files.atomic import atomic_folder
from coig.models.adapters import add_adapters
from coig.models.legacy import add_legacy_names

ONLY_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")


def make_generation_config(lm: Any, tokenizer: Any, end_ids: Collection[int]) -> GenerationConfig:
    """Return a base model's generation config with the end tokens of an export: `end_ids`, and the tokenizer's.

    Settings that only sampling uses are removed if the config generates greedily, as transformers writes no such
    config. Raises ConfigError if it refuses to write the config for another reason.
    """
    config: GenerationConfig = deepcopy(lm.generation_config)
    config.eos_token_id = sorted({*end_ids, tokenizer.eos_token_id} - {None})
    config.pad_token_id = tokenizer.pad_token_id
    if not config.do_sample:
        config.update(**dict.fromkeys(ONLY_SAMPLING))
    try:
        config.validate(strict=True)
    except ValueError as error:
        raise ConfigError(
            f"model.path={lm.name_or_path}: transformers would not write its generation_config.json again "
            f"({' '.join(str(error).splitlines()[:2])}); correct that file in a copy of the model"
        ) from None
    return config


def export(
    lm: Any,
    weights: dict[str, Tensor],
    lora: Lora | None,
    tokenizer: Any,
    generation_config: GenerationConfig,
    folder: Path,
    dtype: torch.dtype | None = None,
) -> None:
    """Write model and tokenizer to `folder`, atomically. Adapters are merged, and also saved to `adapter/` beside it.

    Args:
        lm: the trained model, of which only the configs are read, since its weights may be sharded.
        weights: name → the whole tensor on the CPU, for all weights; not changed.
        lora: the adapters that `weights` contain; None without.
        generation_config: what `make_generation_config` has made of the model's own.
        dtype: the dtype to save weights in; None: the dtype that the model was loaded from.
    """
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(lm.config)
        adapted = add_adapters(plain, lora) if lora else None
    if lora:  # merging works in place, so copy: on a CPU the tensors may be shared with `lm`. It is exact in fp32
        weights = {name: weight.to(torch.float32, copy=True) for name, weight in weights.items()}
    plain.load_state_dict(weights, assign=True)
    plain.tie_weights()
    if adapted:
        with atomic_folder(folder.with_name("adapter")) as partial:
            adapted.save_pretrained(partial)
        plain = adapted.merge_and_unload()
    plain.generation_config = generation_config
    with atomic_folder(folder) as partial:
        plain.to(dtype or lm.published_dtype).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        add_legacy_names(partial)
