"""AdamW in 8 bytes a parameter: bf16 weights with 16-bit remainders, bf16 gradients, and moments of 8 bits.

A parameter takes weight 2 (bf16), remainder 2 (int16), gradient 2 (bf16; 4 if it is sharded), m 1 (int8) and v 1
(uint8), and 1/16 for the scales of m and v. The scales are those of block-wise quantization (Dettmers et al., arXiv
2110.02861). What is quantized are square roots, of m and of √v, which tells small values apart (companding, as in
FlashOptim, arXiv 2602.23349).

Moments and gradients are rounded at random, so that their expectation is exact. v changes by a thousandth in a step,
and rounding to the nearest of 256 values would lose most of that. The random numbers are torch's default ones: to
repeat a run bit for bit, seed them (`torch.manual_seed`) before each step, as for dropout.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.functional import pad

from coig.training.optimizers import SLICE, SplitAdamW, local_part, sharded_like

BLOCK = 128  # most neighbours in a row that share a scale
POWER_OF_M, POWER_OF_V = 2, 4


class SplitAdamW8bit(SplitAdamW):
    """`SplitAdamW` with moments of 8 bits, and with gradients in bf16 on one device.

    Blocks lie within rows, so a parameter that is sharded by rows has the same ones. A vector's elements are blocks of
    their own, which keeps them in fp32.
    """

    STATE: ClassVar = SplitAdamW.STATE | {"exp_avg_scale", "exp_avg_sq_scale"}

    def prepare_gradient(self, param: Tensor) -> None:
        """Let the gradients of a bf16 parameter add up in bf16 without bias; those of a sharded one in fp32."""
        if isinstance(param, DTensor):
            super().prepare_gradient(param)
        else:
            param.register_hook(partial(_add_to_gradient, param))

    def empty_moments(self, param: Tensor) -> dict[str, Tensor]:
        """Return the tensors of a parameter's state that hold its moments m and v, filled with zeros."""
        *rows, columns = local_part(param).shape if param.ndim > 1 else (local_part(param).numel(), 1)
        scales = torch.zeros(*rows, -(-columns // BLOCK), dtype=torch.float32, device=param.device)
        return {
            "exp_avg": torch.zeros_like(param, dtype=torch.int8, requires_grad=False),
            "exp_avg_scale": sharded_like(param, scales),
            "exp_avg_sq": torch.zeros_like(param, dtype=torch.uint8, requires_grad=False),
            "exp_avg_sq_scale": sharded_like(param, scales.clone()),
        }

    def read_moments(self, part: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return m and v in fp32 from slices of a parameter's state."""
        exp_avg = dequantize(part["exp_avg"], part["exp_avg_scale"], POWER_OF_M)
        return exp_avg, dequantize(part["exp_avg_sq"], part["exp_avg_sq_scale"], POWER_OF_V)

    def write_moments(self, part: Mapping[str, Tensor], exp_avg: Tensor, exp_avg_sq: Tensor) -> None:
        """Store updated moments in slices of a parameter's state."""
        quantize(exp_avg, part["exp_avg"], part["exp_avg_scale"], POWER_OF_M)
        quantize(exp_avg_sq, part["exp_avg_sq"], part["exp_avg_sq_scale"], POWER_OF_V)


def quantize(values: Tensor, codes: Tensor, scales: Tensor, power: int) -> None:
    """Round values to one of the two nearest codes, at random so that the expectation of `dequantize` is the value.

    A block's value of the largest size, its scale, is stored exactly. In unsigned codes a value between 0 and the
    smallest positive one becomes that one: were v 0 where m is not, the update would be m / eps.

    Args:
        values: (rows, columns) fp32; not negative if the codes are unsigned.
        codes: (rows, columns) int8 or uint8, and scales: (rows, blocks) fp32, which receive the result.
        power: code c of n means scale · (c / n)^power, with the sign of c.
    """
    highest, is_signed = torch.iinfo(codes.dtype).max, codes.dtype == torch.int8
    blocks = _in_blocks(values, scales.shape[1])
    scales.copy_(blocks.abs().amax(dim=2))
    shares = (blocks.abs() / scales.clamp(min=torch.finfo(torch.float32).tiny)[..., None]).clamp_(max=1)
    lower = shares.pow(1 / power).mul_(highest).floor_().clamp_(max=highest - 1)
    below, above = ((lower + more).div_(highest).pow_(power) for more in (0, 1))
    lower += torch.rand_like(shares) < shares.sub_(below).div_(above.sub_(below))
    chosen = lower.copysign_(blocks) if is_signed else lower.clamp_(min=1)
    codes.copy_(_in_rows(chosen, values.shape[1]))


def dequantize(codes: Tensor, scales: Tensor, power: int) -> Tensor:
    """Return the fp32 values, (rows, columns), that `quantize` stored as codes and scales."""
    shares = _in_blocks(codes.float().div_(torch.iinfo(codes.dtype).max), scales.shape[1])
    values = shares.abs().pow_(power).mul_(scales[..., None]).copysign_(shares)
    return _in_rows(values, codes.shape[1])


def add_at_random(total: Tensor, addend: Tensor) -> None:
    """Add a bf16 tensor to the contiguous bf16 tensor `total` in place, rounding at random.

    The expectation is the exact sum.
    """
    for part, more in zip(total.view(-1).split(SLICE), addend.reshape(-1).split(SLICE), strict=True):
        bits = (part.float() + more.float()).view(torch.int32)
        bits += torch.randint_like(bits, 2**16)  # carries into the upper half as often as the lower half is large
        part.copy_(bits.bitwise_and_(-(2**16)).view(torch.float32))


def _add_to_gradient(param: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient that autograd shall store: the sum of earlier passes, if there is one, plus the new one.

    Sets `param.grad` to None; the earlier sum is changed in place.
    """
    total, param.grad = param.grad, None  # autograd would add to it and round to the nearest
    if total is None:
        return gradient
    add_at_random(total, gradient)
    return total


def _in_blocks(values: Tensor, count: int) -> Tensor:
    """Return a (rows, columns) tensor as (rows, count, ceil(columns / count)); zeros fill the last block."""
    length = -(-values.shape[1] // count)
    return pad(values, (0, count * length - values.shape[1])).view(len(values), count, length)


def _in_rows(blocks: Tensor, columns: int) -> Tensor:
    """Return blocks that `_in_blocks` made as the (rows, columns) tensor that it made them of."""
    return blocks.flatten(1)[:, :columns]
