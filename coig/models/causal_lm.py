"""Loading a causal LM, its loss on supervised tokens, and its export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from coig.config import ConfigError, first_line
from coig.data.batches import MicroBatch
from coig.data.tokenizer import REMEDY, location
from coig.schema import Model
from coig.study import atomic_folder


def load_model(model: Model, seed: int) -> Any:
    """The causal LM on the CPU, in fp32: pretrained weights, or random ones drawn from `seed` alone.

    Raises ConfigError if it cannot be had.
    """
    options = {"dtype": torch.float32, "attn_implementation": model.attn_implementation}
    place = location(model.path)
    try:
        if model.weights == "pretrained":
            loaded = AutoModelForCausalLM.from_pretrained(
                place, revision=model.revision, use_safetensors=True, **options
            )
            return _checked(loaded.train(), model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = AutoConfig.from_pretrained(place, revision=model.revision)
            return _checked(AutoModelForCausalLM.from_config(config, **options), model)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise ConfigError(f"model.path={model.path}: no model ({first_line(error)}); {REMEDY}") from None


def _checked(loaded: Any, model: Model) -> Any:
    """The model, if its logits are the head's output as `weighted_nll` takes them to be."""
    ids = torch.arange(4)[None]
    with torch.no_grad():
        logits = loaded.get_output_embeddings()(loaded.get_decoder()(input_ids=ids).last_hidden_state)
        if not torch.allclose(logits, loaded(input_ids=ids).logits, rtol=1e-3, atol=1e-4):
            raise ConfigError(
                f"model.path={model.path}: scales or caps its logits, which is not supported; take another"
            )
    return loaded


def weighted_nll(model: Any, batch: MicroBatch) -> Tensor:
    """Σ weight · −log p(token | what stands before it), a scalar in fp32; not normalised.

    Supervised rows are selected before the output head, which is most of a small model's work.
    """
    hidden = model.get_decoder()(input_ids=batch.input_ids, use_cache=False).last_hidden_state
    weights = batch.weights[:, 1:]
    rows = weights > 0
    logits = model.get_output_embeddings()(hidden[:, :-1][rows])  # (supervised, vocabulary)
    nll = cross_entropy(logits.float(), batch.input_ids[:, 1:][rows], reduction="none")
    return (nll * weights[rows]).sum()


def export(model: Any, tokenizer: Any, end_id: int, folder: Path) -> None:
    """Write a folder that plain transformers loads, whole or not at all."""
    model.generation_config = GenerationConfig(
        eos_token_id=sorted({end_id, tokenizer.eos_token_id}), pad_token_id=tokenizer.pad_token_id
    )
    with atomic_folder(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
