"""The output head fused with its negative log-likelihood, in chunks of rows.

A whole (tokens, vocabulary) tensor of logits is never in memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_ROWS = {"cpu": 128, "cuda": 2048}  # rows of logits at a time: few fit a CPU's cache, many keep a GPU busy


def linear_nll(
    hidden: Tensor, weight: Tensor, targets: Tensor, row_weights: Tensor, chunk_rows: int | None = None
) -> tuple[Tensor, Tensor]:
    """Compute Σ row_weight · −log softmax(hidden @ weightᵀ)[target], and each row's −log p.

    Matrix products use the autocast dtype, or that of `weight`. Softmax, sums and the gradient of `weight` use fp32.
    Gradients are computed in the forward pass, while a chunk's logits are in memory; under `no_grad` there are none.
    torch 2.11 has no such function (F.linear_cross_entropy).

    Args:
        hidden: (S, d); weight: (V, d); targets: (S,) int64; row_weights: (S,) float32.
        chunk_rows: rows of logits in memory at a time; None: CHUNK_ROWS of the device.

    Returns:
        the weighted sum, an fp32 scalar that has a gradient even if S is 0; and −log p, (S,) float32, without gradient.
    """
    chunk_rows = chunk_rows or CHUNK_ROWS.get(hidden.device.type, CHUNK_ROWS["cuda"])
    if not torch.is_grad_enabled():  # autograd functions are told of the tensors' requires_grad alone
        hidden, weight = hidden.detach(), weight.detach()
    return _LinearNLL.apply(hidden, weight, targets, row_weights, chunk_rows)  # type: ignore[no-any-return, no-untyped-call]


class _LinearNLL(torch.autograd.Function):
    """The autograd function of `linear_nll`."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, row_weights: Tensor, chunk_rows: int
    ) -> tuple[Tensor, Tensor]:
        """Return the weighted sum and each row's −log p; keep the gradients by `hidden` and `weight` for `backward`."""
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
                # scale the small factors, not the (rows, vocabulary) one
                if d_hidden is not None:
                    d_hidden[rows] = (d_logits @ chunks.weight) * scale
                if d_weight is not None:
                    _add_product(d_weight, d_logits.T, (part * scale).to(dtype))
        ctx.gradients = d_hidden, d_weight
        ctx.mark_non_differentiable(nll)
        return (nll * row_weights).sum(), nll

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Return the kept gradients times the sum's gradient; they are scaled in place, so it works only once."""
        d_hidden, d_weight = ctx.gradients
        ctx.gradients = None
        scaled = (None if d is None else d.mul_(gradient) for d in (d_hidden, d_weight))
        return (*scaled, None, None, None)


class _Chunks:
    """Computes the logits and log p of one chunk after another in the same two buffers.

    On a CPU, allocating new ones takes longer than the arithmetic.
    """

    def __init__(self, weight: Tensor, rows: int) -> None:
        self.weight = weight
        self.logits = weight.new_empty(rows, len(weight))
        self.log_p = self.logits.new_empty(self.logits.shape, dtype=torch.float32)

    def nll(self, hidden: Tensor, targets: Tensor, *, with_gradient: bool) -> tuple[Tensor, Tensor]:
        """Return the gradient of −log p by the logits, (rows, V) in the weight's dtype, and −log p, (rows,) fp32.

        The gradient is overwritten by the next call; without `with_gradient` its values are meaningless.
        """
        rows, targets = slice(len(hidden)), targets[:, None]
        logits = torch.mm(hidden, self.weight.T, out=self.logits[rows])
        log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32, out=self.log_p[rows])
        nll = -log_p.gather(1, targets)
        if with_gradient:
            log_p.exp_().scatter_add_(1, targets, torch.full_like(nll, -1.0))
        return log_p if logits.dtype == torch.float32 else logits.copy_(log_p), nll[:, 0]


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add left @ right to the fp32 tensor `total`, in place; `left` and `right` may have 16 bits."""
    if left.dtype == torch.float32:
        total.addmm_(left, right)
    elif left.device.type == "cuda":
        total += torch.mm(left, right, out_dtype=torch.float32)
    else:
        total += left @ right
