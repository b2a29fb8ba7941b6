"""A trained model as a folder that plain transformers loads, 4 or 5."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from coig.config import Lora
from coig.files.atomic import atomic_folder
from coig.models.adapters import add_adapters
from coig.models.legacy import add_legacy_names


def export(
    lm: Any,
    weights: dict[str, Tensor],
    lora: Lora | None,
    tokenizer: Any,
    end_ids: Collection[int],
    folder: Path,
    dtype: torch.dtype | None = None,
) -> None:
    """Write `folder` whole or not at all, adapters merged into the weights; they stand in `adapter/` beside it.

    Args:
        lm: the trained model; its own weights may be sharded.
        weights: all of its weights in whole tensors on the CPU, by name.
        end_ids: tokens that end what the model was trained to write, beside the tokenizer's own.
        dtype: to round them to; None: the dtype the model came in.
    """
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(lm.config)
        adapted = add_adapters(plain, lora) if lora else None
    if lora:  # merging changes weights in place, which on a CPU may be the trained model's own; in fp32 it is exact
        weights = {name: weight.to(torch.float32, copy=True) for name, weight in weights.items()}
    plain.load_state_dict(weights, assign=True)
    plain.tie_weights()
    if adapted:
        with atomic_folder(folder.with_name("adapter")) as partial:
            adapted.save_pretrained(partial)
        plain = adapted.merge_and_unload()
    plain.generation_config = deepcopy(lm.generation_config)  # what the base says of sampling stays
    plain.generation_config.eos_token_id = sorted({*end_ids, tokenizer.eos_token_id} - {None})
    plain.generation_config.pad_token_id = tokenizer.pad_token_id
    with atomic_folder(folder) as partial:
        plain.to(dtype or lm.published_dtype).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        add_legacy_names(partial)
