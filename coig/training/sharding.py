"""Give the ranks the model that the first one loaded: the whole of it (ddp), or a part of each weight (fsdp).

With FSDP2 every rank holds a shard of each weight, of its gradient and of its optimizer state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from coig.models.causal_lm import CausalLM
from coig.training.ranks import is_first


def shard(model: CausalLM, mesh: DeviceMesh, precision: str, device: torch.device) -> None:
    """Shard the first rank's model among all ranks, in place: each decoder layer, then the rest.

    One layer after another is sent to the ranks, so none but the first holds the whole model. Weights and optimizer
    states stay in fp32, unless the optimizer converts them; gradients are reduced in fp32. With precision `bf16-mixed`
    layers compute in bf16.

    Args:
        model: the model; on other ranks than the first its tensors may be on the meta device.
    """
    computed = torch.bfloat16 if precision == "bf16-mixed" else None
    policy = MixedPrecisionPolicy(param_dtype=computed, reduce_dtype=torch.float32, cast_forward_inputs=False)
    within_layers = {module for layer in model.layers for module in layer.modules()}
    for layer in model.layers:
        send_weights(list(layer.modules()), device)
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    send_weights([module for module in model.modules() if module not in within_layers], device)
    tie_again(model)
    fully_shard(model, mesh=mesh, mp_policy=policy)


def replicate(model: CausalLM, device: torch.device) -> None:
    """Give every rank the first rank's model, in place; on other ranks its tensors may be on the meta device."""
    send_weights(list(model.modules()), device)
    tie_again(model)


def send_weights(modules: Sequence[nn.Module], device: torch.device) -> None:
    """Move the modules' own weights and buffers to the device, and replace those of other ranks by the first rank's.

    All ranks must call it. On other ranks than the first a weight that two modules share becomes two.
    """
    for module in modules:
        if not is_first():
            module.to_empty(device=device, recurse=False)
        for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            tensor.data = tensor.data.to(device)
            dist.broadcast(tensor.data, src=0)


def tie_again(model: CausalLM) -> None:
    """Let embeddings and output head share their weight again, if the model's config says so.

    Do nothing on the first rank, where they still share it.
    """
    if not is_first():
        model.lm.tie_weights()


def whole_weights(model: CausalLM) -> dict[str, torch.Tensor]:
    """Gather the weights of `model.lm` by name as unsharded CPU tensors on the first rank; {} on the others.

    All ranks must call it.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(model, options=options)
    return {name.removeprefix("lm."): weight for name, weight in state.items() if isinstance(weight, torch.Tensor)}
