"""AdamW for large models, with fp32 master weights split into bf16 weights and 16-bit remainders.

A parameter takes 14 bytes: weight 2 (bf16), remainder 2 (int16), m 2 (bf16), v 4 (fp32) and gradient 4 (fp32). The idea
is that of Split SGD (Kalamkar et al., arXiv 2005.04680): the upper half of a master weight is the model's weight. With
FSDP2 each rank holds these tensors for its shard of a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Shard
from torch.nn import Parameter
from torch.optim.adamw import adamw
from torch.optim.optimizer import Optimizer, ParamsT, StateDict

SLICE = 2**24  # elements updated at a time; each temporary fp32 tensor takes 67 MB


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

    Parameters may be sharded by FSDP2; construct the optimizer after sharding and before the first forward pass.

    Raises ValueError for parameters sharded along another dimension than the first, and for dtypes other than fp32 and
    bf16.
    """

    STATE: ClassVar = {"step", "remainder", "exp_avg", "exp_avg_sq"}  # names in a parameter's state after a step

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
        """Add a group of parameters and convert them to bf16 in place.

        Raises ValueError for parameters that the class does not take.
        """
        super().add_param_group(param_group)
        params = self.param_groups[-1]["params"]
        for param in params:
            _check(param)
        for param in params:
            self.state[param] = {"step": 0, "remainder": _split_parameter(param)}
            self.prepare_gradient(param)
            if isinstance(param, DTensor):  # a distributed checkpoint is loaded into tensors that exist
                self.state[param] |= self.empty_moments(param)

    def master(self, param: Tensor) -> Tensor:
        """Return a parameter's fp32 master weight, or this rank's shard of it, as a new tensor."""
        return join(local_part(param.detach()), local_part(self.state[param]["remainder"]))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; return the closure's loss, None without a closure."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, param.grad, group)
        return loss

    def _update(self, param: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Take one AdamW step on a parameter and its state, in place, slice by slice."""
        state = self.state[param]
        if "exp_avg" not in state:
            state |= self.empty_moments(param)
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        for part in _slices({**tensors, "weight": param.detach(), "gradient": gradient.contiguous()}, param):
            master = join(part["weight"], part["remainder"])
            exp_avg, exp_avg_sq = self.read_moments(part)
            _adamw(master, part["gradient"].float(), exp_avg, exp_avg_sq, state["step"], group)
            self.write_moments(part, exp_avg, exp_avg_sq)
            split(master, part["weight"], part["remainder"])
        state["step"] += 1

    def prepare_gradient(self, param: Tensor) -> None:
        """Let the gradients of a bf16 parameter add up in fp32."""
        if isinstance(param, DTensor):  # FSDP2 ignores grad_dtype: it adds to a gradient in place, or sets it in bf16
            param.register_post_accumulate_grad_hook(_widen_gradient)
        else:
            param.grad_dtype = torch.float32

    def empty_moments(self, param: Tensor) -> dict[str, Tensor]:
        """Return the tensors of a parameter's state that hold its moments m and v, filled with zeros."""
        return {
            "exp_avg": torch.zeros_like(param, requires_grad=False),
            "exp_avg_sq": torch.zeros_like(param, dtype=torch.float32, requires_grad=False),
        }

    def read_moments(self, part: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return m and v in fp32 from slices of a parameter's state."""
        return part["exp_avg"].float(), part["exp_avg_sq"]

    def write_moments(self, part: Mapping[str, Tensor], exp_avg: Tensor, exp_avg_sq: Tensor) -> None:
        """Store updated moments in slices of a parameter's state; v was updated in place."""
        part["exp_avg"].copy_(exp_avg)

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Load a saved state without changing its dtypes: torch would cast it all to bf16, the parameters' dtype.

        Raises ValueError if another optimizer saved it.
        """
        saved = state_dict["state"]
        keys = list(chain.from_iterable(group["params"] for group in state_dict["param_groups"]))
        if any(set(saved.get(key, {})) not in ({"step", "remainder"}, self.STATE) for key in keys):
            name = type(self).__name__
            raise ValueError(f"the saved state is not {name}'s; resume with the optimizer that saved it")
        super().load_state_dict({**state_dict, "state": {}})
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        for key, param in zip(keys, params, strict=True):
            self.state[param] = {
                name: value.to(param.device) if isinstance(value, Tensor) else value
                for name, value in saved[key].items()
            }


def local_part(tensor: Tensor) -> Tensor:
    """Return this rank's shard of a sharded tensor, or the whole tensor if it is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def sharded_like(param: Tensor, local: Tensor) -> Tensor:
    """Return a sharded tensor like `param` of which `local` is this rank's shard; if `param` is not sharded, `local`.

    The whole tensor has the first dimension of `param` and the others of `local`.
    """
    if not isinstance(param, DTensor):
        return local
    whole = torch.empty(len(param), *local.shape[1:], device="meta")
    return DTensor.from_local(
        local, param.device_mesh, param.placements, run_check=False, shape=whole.shape, stride=whole.stride()
    )


def _check(param: Tensor) -> None:
    """Raise ValueError if a parameter is neither fp32 nor bf16, or sharded along another dimension than the first."""
    if isinstance(param, DTensor) and any(place.is_shard() and place != Shard(0) for place in param.placements):
        raise ValueError(f"SplitAdamW takes parameters sharded along their first dimension, not {param.placements}")
    if param.dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(f"SplitAdamW takes parameters in float32, not {param.dtype}; load the model in float32")


def _split_parameter(param: Tensor) -> Tensor:
    """Convert a parameter to bf16 in place, and return its int16 remainder, sharded as the parameter is."""
    master = local_part(param.detach()).contiguous()
    weight = torch.empty(master.shape, dtype=torch.bfloat16, device=master.device)
    remainder = torch.empty(master.shape, dtype=torch.int16, device=master.device)
    for source, upper, lower in zip(*(t.view(-1).split(SLICE) for t in (master, weight, remainder)), strict=True):
        split(source.to(torch.float32, copy=True), upper, lower)
    if isinstance(param, DTensor):  # FSDP2 sees the new shard before the first forward pass
        torch.utils.swap_tensors(param, Parameter(sharded_like(param, weight)))
    else:
        param.data = weight
    return sharded_like(param, remainder)


def _widen_gradient(param: Tensor) -> None:
    """Replace a sharded parameter's gradient by an fp32 copy; a hook that runs after each backward pass."""
    assert param.grad is not None
    param.grad_dtype = None  # any; not set once for all, as `Module.to` forgets it
    param.grad = param.grad.float()


def _adamw(
    param: Tensor, grad: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, steps_done: int, group: dict[str, Any]
) -> None:
    """Update the fp32 tensors `param`, `exp_avg` and `exp_avg_sq` in place with torch's fused AdamW."""
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


def _slices(tensors: Mapping[str, Tensor], param: Tensor) -> Iterator[dict[str, Tensor]]:
    """Yield views of whole rows of the tensors, each (rows, columns), of up to SLICE elements of the parameter.

    A row of more elements is a view by itself; an empty shard yields nothing.

    Args:
        tensors: tensors whose last dimension makes the columns; a vector has one column.
    """
    rows = local_part(param).shape[:-1].numel() if param.ndim > 1 else local_part(param).numel()
    if rows == 0:  # more ranks than rows
        return
    at_once = max(1, SLICE * rows // local_part(param).numel())
    # the first view raises if a tensor is not contiguous, whose elements fused AdamW would mix up
    flat = {name: local_part(tensor).view(-1).view(rows, -1).split(at_once) for name, tensor in tensors.items()}
    for parts in zip(*flat.values(), strict=True):
        yield dict(zip(flat, parts, strict=True))
