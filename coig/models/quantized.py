"""Keep the frozen weights of a model's decoder in 4 bits (NF4, QLoRA, arXiv 2305.14314), through bitsandbytes.

A quantized weight takes 0.516 bytes: 4 bits, and 8 + 32 / 256 bits of scales for every 64 weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from coig.errors import ConfigError
from coig.models.adapters import add_adapters

if TYPE_CHECKING:
    from coig.config import Lora

BYTES_A_WEIGHT = 0.5 + (1 + 4 / 256) / 64


def quantize_frozen(lm: Any, compute_dtype: torch.dtype) -> None:
    """Quantize the frozen linear layers of the decoder, in place; they compute in `compute_dtype`.

    Raises ConfigError if bitsandbytes is missing.
    """
    for parent, name, layer in list(frozen_linears(lm.get_decoder())):
        setattr(parent, name, _quantize(layer, compute_dtype))


def frozen_linears(decoder: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """Yield each linear layer of a decoder, or of a part of it, whose weight is frozen, as (parent, name, layer)."""
    for parent in decoder.modules():
        for name, layer in parent.named_children():
            if type(layer) is nn.Linear and not layer.weight.requires_grad:
                yield parent, name, layer


def _quantize(layer: nn.Linear, compute_dtype: torch.dtype) -> nn.Module:
    """Return a 4-bit linear layer with the weight and bias of `layer`, on its device.

    Raises ConfigError if bitsandbytes is missing.
    """
    try:
        import bitsandbytes as bnb
    except ImportError:
        raise ConfigError(
            "model/lora=rank16_4bit: bitsandbytes is not installed; pip install bitsandbytes, or take model/lora=rank16"
        ) from None
    weight = bnb.nn.Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4")
    with torch.device("meta"):
        quantized = bnb.nn.Linear4bit(layer.in_features, layer.out_features, bias=False, compute_dtype=compute_dtype)
    quantized.weight, quantized.bias = weight.to(layer.weight.device), layer.bias
    # in evaluation it would repack its weight for AVX-512, which fails at some widths and cannot train afterwards
    quantized.support_avx512bf16_for_cpu = False
    return quantized  # type: ignore[no-any-return]


def gather_unquantized(lm: Any, base: Any, lora: Lora) -> dict[str, Tensor]:
    """Return the weights of a quantized model by name: its adapters, on the CPU, and the base as it was published.

    Args:
        base: the model as it was loaded, before it was quantized; adapters are inserted into it.
        lora: the settings of the adapters.
    """
    add_adapters(base, lora)
    adapters = {name: weight.detach().cpu() for name, weight in lm.named_parameters() if weight.requires_grad}
    weights: dict[str, Tensor] = base.state_dict() | adapters
    return weights
