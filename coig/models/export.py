"""Export a trained model as a folder that plain transformers 4 or 5 loads."""

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
    """Write model and tokenizer to `folder`, atomically. Adapters are merged, and also saved to `adapter/` beside it.

    Args:
        lm: the trained model, of which only the configs are read, since its weights may be sharded.
        weights: name → the whole tensor on the CPU, for all weights; not changed.
        lora: the adapters that `weights` contain; None without.
        end_ids: end tokens for the generation config, besides the tokenizer's.
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
    plain.generation_config = deepcopy(lm.generation_config)  # keeps the base model's sampling settings
    plain.generation_config.eos_token_id = sorted({*end_ids, tokenizer.eos_token_id} - {None})
    plain.generation_config.pad_token_id = tokenizer.pad_token_id
    with atomic_folder(folder) as partial:
        plain.to(dtype or lm.published_dtype).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        add_legacy_names(partial)
