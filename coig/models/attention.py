"""Causal attention among documents that lie end to end: no token sees another document, and none is padding.

`packed` is an attention function of transformers. It takes the fastest way there is: flash-attn if it is installed,
else PyTorch's own varlen kernel (both on a GPU, in 16 bits), else `scaled_dot_product_attention` for each document.
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
# torch 2.11 wants as many key heads as query heads
VARLEN_KNOWS_GQA = "enable_gqa" in inspect.signature(varlen_attn).parameters


def attention_path(device: torch.device, dtype: torch.dtype) -> str:
    """Choose the one of PATHS that serves this device and dtype."""
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
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
    """Attention of T tokens in D documents.

    Args:
        query: (1, H, T, d); key, value: (1, H_kv, T, d), H a multiple of H_kv.
        attention_mask: not used, what a token sees follows from the documents.
        cu_seq_lens_q: (D + 1,) int32 on the query's device, where documents begin and end.
        max_length_q: tokens of the longest document.
        dropout, softcap, s_aux: refused with a ConfigError where a model asks for them.
        sliding_window: how many tokens up to its own one sees; None: all.
        path: one of PATHS, to measure it; None: the fastest.

    Returns:
        (1, T, H, d), and no attention weights.
    """
    if dropout or softcap or s_aux is not None:
        raise ConfigError("packed attention knows no dropout, soft cap or sink; take a model whose config has none")
    device = query.device
    if torch.is_autocast_enabled(device.type):  # a norm's fp32 weights may have promoted what autocast had cast
        dtype = torch.get_autocast_dtype(device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    path = path or attention_path(device, query.dtype)
    if path == "documents":
        return _documents(query, key, value, cu_seq_lens_q.tolist(), scaling, sliding_window), None
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
    if VARLEN_KNOWS_GQA:
        options["enable_gqa"] = query.shape[1] != key.shape[1]
    else:
        key, value = _repeated(key, query), _repeated(value, query)
    return varlen_attn(query, key, value, *bounds, **options)  # type: ignore[return-value]


def _documents(
    query: Tensor, key: Tensor, value: Tensor, starts: list[int], scaling: float | None, sliding_window: int | None
) -> Tensor:
    """Exact on any device. `split` and not slices: their backward pass would write T rows for each document."""
    if query.device.type == "cpu" and key.shape[1] < torch.get_num_threads():
        # the CPU's backward pass has one thread for each key head, or, worse, one for a few rows of a matrix product
        key, value = _repeated(key, query), _repeated(value, query)
    lengths = [end - start for start, end in pairwise(starts)]
    parts = zip(*(torch.split(tensor, lengths, dim=2) for tensor in (query, key, value)), strict=True)
    gqa = query.shape[1] != key.shape[1]
    outputs = []
    for length, (q, k, v) in zip(lengths, parts, strict=True):
        mask = _band(length, sliding_window, query.device) if sliding_window and length > sliding_window else None
        outputs.append(
            scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None, scale=scaling, enable_gqa=gqa)
        )
    return torch.cat(outputs, dim=2).transpose(1, 2)


def _repeated(tensor: Tensor, query: Tensor) -> Tensor:
    """Each head of keys or values as often as queries share it."""
    return tensor.repeat_interleave(query.shape[1] // tensor.shape[1], dim=1)


def _band(length: int, window: int, device: torch.device) -> Tensor:
    """(length, length), whether a token sees another one: itself and the window - 1 before it."""
    distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
    return (distance >= 0) & (distance < window)


# without a mask function of the same name transformers makes no mask, and looks for none in the position ids
AttentionInterface.register(PACKED, packed_attention)
