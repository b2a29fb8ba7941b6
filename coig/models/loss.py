"""The output head and its negative log-likelihood in one, in chunks: no (tokens, vocabulary) tensor is ever whole."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_ROWS = {"cpu": 128, "cuda": 2048}  # rows of logits at a time: in a CPU's cache, and enough for a GPU


def linear_nll(
    hidden: Tensor, weight: Tensor, targets: Tensor, row_weights: Tensor, chunk_rows: int | None = None
) -> tuple[Tensor, Tensor]:
    """Σ row_weight · −log softmax(hidden @ weightᵀ)[target], and each row's own −log p.

    The matrix products are in the autocast dtype, or that of `weight`; softmax, sum and the gradient of `weight` in
    fp32. Gradients are made in the forward pass, while a chunk's logits are there. As F.linear_cross_entropy, which
    torch 2.11 lacks.

    Args:
        hidden: (S, d); weight: (V, d); targets: (S,) int64; row_weights: (S,) float32.
        chunk_rows: how many rows of logits exist at a time.

    Returns:
        a scalar in fp32, connected to the graph also when S is 0; and (S,) float32 without gradient.
    """
    chunk_rows = chunk_rows or CHUNK_ROWS.get(hidden.device.type, CHUNK_ROWS["cuda"])
    return _LinearNLL.apply(hidden, weight, targets, row_weights, chunk_rows)  # type: ignore[no-any-return, no-untyped-call]


class _LinearNLL(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, row_weights: Tensor, chunk_rows: int
    ) -> tuple[Tensor, Tensor]:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        with torch.autocast(device, enabled=False):
            chunks = _Chunks(weight.to(dtype), min(chunk_rows, len(hidden)))
            for_hidden, for_weight = ctx.needs_input_grad[:2]
            d_hidden = torch.empty_like(hidden) if for_hidden else None
            d_weight = torch.zeros_like(weight, dtype=torch.float32) if for_weight else None
            nll = torch.empty_like(row_weights)
            for first in range(0, len(hidden), chunk_rows):
                rows = slice(first, first + chunk_rows)
                part, scale = hidden[rows].to(dtype), row_weights[rows, None]
                d_logits, nll[rows] = chunks.nll(part, targets[rows], with_gradient=for_hidden or for_weight)
                # the row's weight goes to the small factors, not to the (rows, vocabulary) one
                if d_hidden is not None:
                    d_hidden[rows] = (d_logits @ chunks.weight) * scale
                if d_weight is not None:
                    _add_product(d_weight, d_logits.T, (part * scale).to(dtype))
        ctx.gradients = d_hidden, d_weight
        ctx.mark_non_differentiable(nll)
        return (nll * row_weights).sum(), nll

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_weight = ctx.gradients
        ctx.gradients = None
        scaled = (None if d is None else d.mul_(gradient) for d in (d_hidden, d_weight))
        return (*scaled, None, None, None)


class _Chunks:
    """Two buffers that all chunks share: on a CPU fresh memory costs more than the arithmetic."""

    def __init__(self, weight: Tensor, rows: int) -> None:
        self.weight = weight
        self.logits = weight.new_empty(rows, len(weight))
        self.log_p = self.logits.new_empty(self.logits.shape, dtype=torch.float32)

    def nll(self, hidden: Tensor, targets: Tensor, *, with_gradient: bool) -> tuple[Tensor, Tensor]:
        """Each row's −log p, and its gradient in the logits, in the dtype of the weight; valid until the next call."""
        rows, targets = slice(len(hidden)), targets[:, None]
        logits = torch.mm(hidden, self.weight.T, out=self.logits[rows])
        log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32, out=self.log_p[rows])
        nll = -log_p.gather(1, targets)
        if with_gradient:
            log_p.exp_().scatter_add_(1, targets, torch.full_like(nll, -1.0))
        return log_p if logits.dtype == torch.float32 else logits.copy_(log_p), nll[:, 0]


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, with a sum in fp32 whatever the factors are."""
    if left.dtype == torch.float32:
        total.addmm_(left, right)
    elif left.device.type == "cuda":
        total += torch.mm(left, right, out_dtype=torch.float32)
    else:
        total += left @ right
