"""AdamW for large models on one device, with fp32 master weights split into bf16 weights and 16-bit remainders.

A parameter takes 14 bytes: weight 2 (bf16), remainder 2 (int16), m 2 (bf16), v 4 (fp32) and gradient 4 (fp32). The idea
is that of Split SGD (Kalamkar et al., arXiv 2005.04680): the upper half of a master weight is the model's weight.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim.adamw import adamw
from torch.optim.optimizer import Optimizer, ParamsT, StateDict

SLICE = 2**24  # elements updated at a time, which takes about 150 MB of temporary tensors


def split(master: Tensor, weight: Tensor, remainder: Tensor) -> None:
    """Split an fp32 tensor into its bf16 rounding and the int16 difference of their bits, without loss.

    Ties round away from zero. Rounding to even, as `Tensor.bfloat16` does, would need a 17-bit difference. `join`
    restores every number and infinity bit for bit, even those above 3.39e38, whose bf16 weight is infinite. A NaN
    becomes the default NaN, as the bits of others could round to a number.

    Args:
        master: fp32; it is overwritten.
        weight, remainder: bf16 and int16 tensors of the same shape, which receive the result.
    """
    bits = master.masked_fill_(master.isnan(), torch.nan).view(torch.int32)
    remainder.copy_(bits)  # keeps the lower 16 bits
    weight.copy_(bits.sub_(remainder).view(torch.float32))  # exact: the lower 16 bits are 0 now


def join(weight: Tensor, remainder: Tensor) -> Tensor:
    """Return the fp32 tensor that `split` made `weight` and `remainder` of."""
    return weight.float().view(torch.int32).add_(remainder).view(torch.float32)


class SplitAdamW(Optimizer):
    """`torch.optim.AdamW` computed in fp32, for a model whose weights are bf16.

    The constructor converts fp32 parameters to bf16 in place and keeps their gradients in fp32. It makes parameters
    contiguous, and they must stay so. Weights are saved with the model, remainders with the optimizer: load both or
    neither. A remainder added to a foreign weight moves it by up to half a bf16 step, and can turn a 0 into a NaN. m is
    rounded to bf16 between steps; under a constant gradient it stays up to 4 % too small.

    Raises ValueError for sharded parameters and for dtypes other than fp32 and bf16.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters and convert them to bf16 in place."""
        super().add_param_group(param_group)
        params = self.param_groups[-1]["params"]
        for param in params:
            _check(param)
        for param in params:
            self.state[param] = {"step": 0, "remainder": _split_parameter(param)}

    def master(self, param: Tensor) -> Tensor:
        """Return a parameter's fp32 master weight as a new tensor of the same shape."""
        return join(param.detach(), self.state[param]["remainder"])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, and return the closure's loss."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, param.grad, group)
        return loss

    def _update(self, param: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param, dtype=torch.float32)
        tensors = (param.detach(), gradient.contiguous(), state["remainder"], state["exp_avg"], state["exp_avg_sq"])
        for weight, grad, remainder, exp_avg, exp_avg_sq in zip(*map(_slices, tensors), strict=True):
            master, momentum = join(weight, remainder), exp_avg.float()
            _adamw(master, grad, momentum, exp_avg_sq, state["step"], group)
            exp_avg.copy_(momentum)
            split(master, weight, remainder)
        state["step"] += 1

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Load a saved state without changing its dtypes: torch would cast it all to bf16, the parameters' dtype.

        Raises ValueError if another optimizer saved it.
        """
        saved = state_dict["state"]
        keys = list(chain.from_iterable(group["params"] for group in state_dict["param_groups"]))
        if any("remainder" not in saved.get(key, {}) for key in keys):
            raise ValueError(
                "the saved state has no remainders: it is not SplitAdamW's; resume with the optimizer that saved it"
            )
        super().load_state_dict({**state_dict, "state": {}})
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        for key, param in zip(keys, params, strict=True):
            self.state[param] = {
                name: value.to(param.device) if isinstance(value, Tensor) else value
                for name, value in saved[key].items()
            }


def _check(param: Tensor) -> None:
    """Raise ValueError if a parameter is sharded or neither fp32 nor bf16."""
    if isinstance(param.data, DTensor):
        raise ValueError("SplitAdamW is for one device and takes no DTensor; with several, take optimizer=adamw")
    if param.dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(f"SplitAdamW takes parameters in float32, not {param.dtype}; load the model in float32")


def _split_parameter(param: Tensor) -> Tensor:
    """Convert a parameter to bf16 with fp32 gradients, in place, and return its remainder."""
    weight = torch.empty(param.shape, dtype=torch.bfloat16, device=param.device)
    remainder = torch.empty(param.shape, dtype=torch.int16, device=param.device)
    for source, upper, lower in zip(*map(_slices, (param.detach().contiguous(), weight, remainder)), strict=True):
        split(source.to(torch.float32, copy=True), upper, lower)
    param.data = weight
    param.grad_dtype = torch.float32
    return remainder


def _adamw(
    param: Tensor, grad: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, steps_done: int, group: dict[str, Any]
) -> None:
    """Update fp32 tensors in place with torch's fused AdamW."""
    adamw(
        [param],
        [grad],
        [exp_avg],
        [exp_avg_sq],
        max_exp_avg_sqs=[],
        state_steps=[torch.full((), steps_done, dtype=torch.float32, device=param.device)],
        fused=True,
        amsgrad=False,
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )


def _slices(tensor: Tensor) -> tuple[Tensor, ...]:
    """Return flat views of a contiguous tensor, of up to SLICE elements each."""
    return torch.split(tensor.view(-1), SLICE)
