"""Count the FLOPs of training for model FLOP utilisation (MFU); recomputed activations do not count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import Parameter

# bf16 FLOP/s without sparsity, by a part of the device's name; from NVIDIA's data sheets
PEAKS = {
    "B300": 2250e12,
    "B200": 2250e12,
    "GH200": 989.5e12,
    "H200": 989.5e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989.5e12,
    "H800 PCIe": 756e12,
    "H800": 989.5e12,
    "H20": 148e12,
    "A100": 312e12,
    "A800": 312e12,
    "L40S": 362e12,
    "L20": 119.5e12,
    "RTX 5090": 209.5e12,
    "RTX 4090": 165.2e12,
    "RTX A6000": 154.8e12,
    "A40": 149.7e12,
    "L4": 121e12,
    "RTX 3090": 71e12,
}
OTHER_CARD = r" (D|Ti|SUPER|Laptop|Mobile|Max-Q)\b"  # after a name: a card with another peak


class TrainingFlops:
    """The FLOPs of a dense model's forward and backward pass, counted as in PaLM (arXiv 2204.02311, appendix B).

    A weight costs 6 FLOPs per token, or 4 if it is frozen. Attention costs 6 · layers · heads · head_dim · length² per
    document, as half of the square is masked. The output head's weights cost FLOPs for supervised tokens only.
    """

    def __init__(self, lm: Any) -> None:
        config = lm.config.get_text_config()
        embedding, head = lm.get_input_embeddings().weight, lm.get_output_embeddings().weight
        decoder = lm.get_decoder().parameters()
        self.per_token: int = sum(_per_token(p) for p in decoder if p is not embedding and p is not head)
        self.per_supervised_token = _per_token(head)
        heads = config.num_attention_heads
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
        self.per_square: int = 6 * config.num_hidden_layers * heads * head_dim

    @property
    def attention_cost(self) -> float:
        """Return attention's FLOPs per squared token divided by the decoder's per token, for `pack_documents`."""
        return self.per_square / self.per_token

    def of(self, lengths: Sequence[int], supervised_tokens: int) -> int:
        """Return the FLOPs of a forward and backward pass over documents of these lengths in tokens."""
        squares = sum(length**2 for length in lengths)
        return self.per_token * sum(lengths) + self.per_square * squares + self.per_supervised_token * supervised_tokens


def _per_token(weight: Parameter) -> int:
    """Return the FLOPs of a weight tensor per token: 6 for each of its numbers, 4 if it is frozen."""
    return (6 if weight.requires_grad else 4) * weight.numel()


def peak_flops(device: torch.device) -> float | None:
    """Return the device's peak bf16 FLOP/s without sparsity; None for a CPU or an unknown GPU."""
    if device.type != "cuda":
        return None
    return peak_flops_of(torch.cuda.get_device_name(device))


def peak_flops_of(name: str) -> float | None:
    """Return the peak bf16 FLOP/s, without sparsity, of a GPU by CUDA's name for it; None if it is not in PEAKS."""
    return next((peak for known, peak in PEAKS.items() if re.search(rf"\b{known}\b(?!{OTHER_CARD})", name)), None)
