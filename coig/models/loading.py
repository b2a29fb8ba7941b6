"""Load a causal LM of transformers as it is trained: in fp32, with packed attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from coig.config import Model
from coig.data.steps import MicroBatch
from coig.data.tokenizer import NO_CODE, REMEDY, location, say_why
from coig.errors import ConfigError, first_line
from coig.models.attention import PACKED
from coig.models.causal_lm import compute_hidden_states

AS_TRAINED = {"dtype": torch.float32, "attn_implementation": PACKED}

_supported: set[tuple[str | None, ...]] = set()  # path, revision, weights of the models that this process has tried


def load_model(model: Model, seed: int) -> Any:
    """Return a causal LM on the CPU in fp32, in train mode, with pretrained weights or random ones drawn from `seed`.

    Its attribute `published_dtype` is the dtype in which its weights were published. Raises ConfigError if it cannot be
    loaded, or if packed attention and the fused loss do not reproduce its outputs.
    """
    with _explain_errors(model):
        config, options = _config_of(model)
        published = config.dtype  # `export` writes the weights in this dtype
        if model.weights == "pretrained":
            lm, loaded = AutoModelForCausalLM.from_pretrained(
                location(model.path), use_safetensors=True, output_loading_info=True, **options, **AS_TRAINED
            )
            if missing := sorted(loaded["missing_keys"]):
                raise ValueError(f"its files lack {len(missing)} weights, {missing[0]} among them")
        else:
            lm = make_random_model(config, seed, AS_TRAINED)
    _check_supported(lm, model)
    lm.published_dtype = published or torch.float32
    return lm.train()


def load_model_config(model: Model) -> Any:
    """Return a model's transformers config. Raises ConfigError if it cannot be loaded."""
    with _explain_errors(model):
        return _config_of(model)[0]


def empty_model(model: Model) -> Any:
    """Return the causal LM that `load_model` loads, but without weights: its tensors are on the meta device.

    Raises ConfigError if it cannot be built.
    """
    with _explain_errors(model), torch.device("meta"):
        config, _ = _config_of(model)
        published = config.dtype
        lm = make_random_model(config, 0, AS_TRAINED)
    lm.published_dtype = published or torch.float32
    return lm.train()


def _config_of(model: Model) -> tuple[Any, dict[str, Any]]:
    """Load a model's transformers config; return it, and the keyword arguments that `from_pretrained` needs as well."""
    options = {"revision": model.revision, **NO_CODE}
    return AutoConfig.from_pretrained(location(model.path), **options), options


@contextmanager
def _explain_errors(model: Model) -> Iterator[None]:
    """Turn an error of the block, which loads a model, into a ConfigError that names `model.path`."""
    try:
        yield
    except SafetensorError as error:
        raise ConfigError(
            f"model.path={model.path}: its weights are damaged ({first_line(error)}); download the model again"
        ) from None
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise ConfigError(f"model.path={model.path}: no model ({say_why(error)}); {REMEDY}") from None


def make_random_model(config: Any, seed: int, settings: dict[str, Any]) -> Any:
    """Return a model of this architecture with random weights that depend on `seed` only.

    Args:
        config: a transformers config.
        settings: further arguments of `from_config`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config, **NO_CODE, **settings)


def _check_supported(lm: Any, model: Model) -> None:
    """Raise ConfigError if the model is not supported. A process tries each model once, not again for each arm."""
    tried = model.path, model.revision, model.weights
    if tried in _supported:
        return
    try:
        problem = _find_unsupported(lm)
    except Exception as error:  # models that do not support packed documents raise all kinds of errors
        problem = f"cannot attend to packed documents ({type(error).__name__}: {first_line(error)})"
    if problem:
        raise ConfigError(f"model.path={model.path}: {problem}, which is not supported; take another model")
    _supported.add(tried)


def _find_unsupported(lm: Any) -> str | None:
    """Return why the model is not supported, as the end of a sentence; None if it is. Leave it in evaluation mode.

    Compares its logits on two packed documents with those of transformers' eager attention on each document alone.
    Raises whatever a model raises that cannot attend to packed documents.
    """
    head = lm.get_output_embeddings()
    if type(head) is not nn.Linear or head.bias is not None:
        return "has an output head that is more than one matrix"
    ids, documents = torch.arange(8), (torch.arange(5), torch.arange(5, 8))
    positions = torch.cat([torch.arange(len(document)) for document in documents])
    packed = MicroBatch(ids, positions, torch.tensor([0, 5, 8], dtype=torch.int32), 5, ids, ids, torch.ones(8), ids)
    with torch.no_grad():
        logits = head(compute_hidden_states(lm.eval(), packed))
        lm.set_attn_implementation("eager")
        alone = torch.cat([lm(input_ids=document[None]).logits[0] for document in documents])
        lm.set_attn_implementation(PACKED)
    if not torch.allclose(logits, alone, rtol=1e-3, atol=1e-3 * float(alone.abs().max())):
        return "scales or caps its logits, or has a state that packed documents would share"
    return None
