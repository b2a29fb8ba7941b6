"""FSDP2: every rank holds a shard of each weight, of its gradient and of its optimizer state."""

from __future__ import annotations

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from coig.models.causal_lm import CausalLM


def shard(model: CausalLM, mesh: DeviceMesh, precision: str) -> None:
    """Shard each decoder layer, then the rest of the model, in place.

    Weights and optimizer states stay in fp32, unless the optimizer converts them; gradients are reduced in fp32. With
    precision `bf16-mixed` layers compute in bf16.
    """
    computed = torch.bfloat16 if precision == "bf16-mixed" else None
    policy = MixedPrecisionPolicy(param_dtype=computed, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for layer in model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)


def whole_weights(model: CausalLM) -> dict[str, torch.Tensor]:
    """Gather the weights of `model.lm` by name as unsharded CPU tensors on the first rank; {} on the others.

    All ranks must call it.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(model, options=options)
    return {name.removeprefix("lm."): weight for name, weight in state.items() if isinstance(weight, torch.Tensor)}
