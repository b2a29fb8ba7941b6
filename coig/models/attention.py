"""Causal attention over documents packed end to end, without padding; no token attends to another document.

The attention function is registered with transformers as `packed`. On a GPU in 16 bits it uses flash-attn if that is
installed, and PyTorch's varlen kernel if not. Elsewhere it calls `scaled_dot_product_attention` for each document.
"""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from coig.errors import ConfigError

try:
    from flash_attn import flash_attn_varlen_func
except ImportError:
    flash_attn_varlen_func = None

PACKED = "packed"
PATHS = {
    "flash": "flash-attn's varlen kernel",
    "varlen": "PyTorch's varlen kernel",
    "documents": "scaled_dot_product_attention, document by document",
}
# torch 2.11's varlen kernel needs as many key heads as query heads
VARLEN_KNOWS_GQA = "enable_gqa" in inspect.signature(varlen_attn).parameters


def attention_path(device: torch.device, dtype: torch.dtype) -> str:
    """Return the key of the fastest of PATHS for this device and dtype: flash, varlen or documents.

    Both kernels need a GPU of Nvidia's Ampere generation or later, and 16 bits. On a machine without a GPU, a device of
    type `cuda` counts as such a GPU.
    """
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return "documents"
    if torch.cuda.is_available() and torch.cuda.get_device_capability(device) < (8, 0):
        return "documents"
    return "flash" if flash_attn_varlen_func else "varlen"


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    *,
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    path: str | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Compute causal attention within each of D packed documents of T tokens in all.

    Args:
        module: ignored.
        query: (1, H, T, d); key, value: (1, H_kv, T, d), H a multiple of H_kv.
        attention_mask: ignored; the documents' bounds determine what a token attends to.
        cu_seq_lens_q: (D + 1,) int32 on the query's device, the documents' bounds from 0 to T.
        max_length_q: tokens of the longest document.
        scaling: factor on the attention scores; None: 1 / √d.
        dropout, softcap, s_aux: not supported.
        sliding_window: number of tokens, itself included, that a token attends to; None: all earlier ones.
        path: a key of PATHS, for benchmarks; None: the fastest.

    Returns:
        (1, T, H, d), and None instead of attention weights.

    Raises:
        ConfigError: if the model asks for dropout, a soft cap or an attention sink.
    """
    if dropout or softcap or s_aux is not None:
        raise ConfigError("packed attention knows no dropout, soft cap or sink; take a model whose config has none")
    device = query.device
    if torch.is_autocast_enabled(device.type):  # a norm with fp32 weights may have returned fp32
        dtype = torch.get_autocast_dtype(device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    path = path or attention_path(device, query.dtype)
    if path == "documents":
        return _attend_by_document(query, key, value, cu_seq_lens_q.tolist(), scaling, sliding_window), None
    left = -1 if sliding_window is None else sliding_window - 1
    # (1, H, T, d) to (T, H, d)
    heads = [tensor[0].transpose(0, 1) for tensor in (query, key, value)]
    bounds = cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q
    if path == "flash":
        output = flash_attn_varlen_func(*heads, *bounds, softmax_scale=scaling, causal=True, window_size=(left, 0))
    else:
        output = _varlen(*heads, *bounds, scale=scaling, window_size=(left, 0))
    return output[None], None


def _varlen(query: Tensor, key: Tensor, value: Tensor, *bounds: Any, **options: Any) -> Tensor:
    """Return the (T, H, d) output of PyTorch's `varlen_attn`; keys and values may have fewer heads than queries."""
    if VARLEN_KNOWS_GQA:
        options["enable_gqa"] = query.shape[1] != key.shape[1]
    else:
        key, value = _repeat_heads(key, query), _repeat_heads(value, query)
    return varlen_attn(query, key, value, *bounds, **options)  # type: ignore[return-value]


def _attend_by_document(
    query: Tensor, key: Tensor, value: Tensor, starts: list[int], scaling: float | None, sliding_window: int | None
) -> Tensor:
    """Return causal attention within each document, by `scaled_dot_product_attention`: (1, H, T, d) to (1, T, H, d).

    Args:
        starts: the documents' bounds, from 0 to T.
    """
    if query.device.type == "cpu" and key.shape[1] < torch.get_num_threads():
        # the CPU's backward pass runs one thread per key head: with fewer heads than threads, cores would idle
        key, value = _repeat_heads(key, query), _repeat_heads(value, query)
    lengths = [end - start for start, end in pairwise(starts)]
    # not slices: the backward pass of each would write T rows
    parts = zip(*(torch.split(tensor, lengths, dim=2) for tensor in (query, key, value)), strict=True)
    gqa = query.shape[1] != key.shape[1]
    outputs = []
    for length, (q, k, v) in zip(lengths, parts, strict=True):
        mask = _band(length, sliding_window, query.device) if sliding_window and length > sliding_window else None
        outputs.append(
            scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None, scale=scaling, enable_gqa=gqa)
        )
    return torch.cat(outputs, dim=2).transpose(1, 2)


def _repeat_heads(tensor: Tensor, query: Tensor) -> Tensor:
    """Repeat each head of keys or values, dimension 1, for every query head that shares it."""
    return tensor.repeat_interleave(query.shape[1] // tensor.shape[1], dim=1)


def _band(length: int, window: int, device: torch.device) -> Tensor:
    """Return the causal sliding-window mask, (length, length): each token attends to itself and `window` − 1 before."""
    distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
    return (distance >= 0) & (distance < window)


# no mask function is registered under this name, so transformers builds no attention mask
AttentionInterface.register(PACKED, packed_attention)
