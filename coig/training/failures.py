"""Stop a run that cannot go on, with an error that names the step, the cause and the setting to change."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning import Callback
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from coig.data.steps import Step
from coig.errors import ConfigError, OutOfMemoryError
from coig.study.manifest import MemoryPlan

LOWER = "The last checkpoint stays as it is. Lower model.learning_rate and start anew with overwrite=true"
# torch raises a plain RuntimeError for the CPU's allocator and for libraries that allocate by themselves: cuBLAS and
# cuDNN as they make a handle, NCCL as it connects ranks
OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|Failed to CUDA (host )?(m|c)alloc"
    r"|CU(BLAS|DNN)_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)",
    re.IGNORECASE,
)


def check_finite(loss: float, norm: float, learning_rate: float, number: int, step: Step) -> None:
    """Raise ConfigError if a step's loss or gradient norm is not finite; call before the update."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise ConfigError(
            f"step {number}: loss {loss} with gradient norm {norm} is not finite, at learning rate "
            f"{learning_rate:.3g}, on the examples {', '.join(step.ids)}. {LOWER}, or leave out what breaks it"
        )


def check_validation(loss: float, steps: int) -> None:
    """Raise ConfigError if the validation loss after `steps` steps is not finite; call before saving."""
    if not math.isfinite(loss):
        raise ConfigError(f"after step {steps}: validation loss {loss} is not finite. {LOWER}")


def check_weights(module: nn.Module, steps: int) -> None:
    """Raise ConfigError if a weight is not finite; call before a checkpoint replaces the earlier one."""
    broken = [name for name, weight in module.named_parameters() if not _is_finite(_own_part(weight))]
    if broken:
        raise ConfigError(f"after step {steps}: {broken[0].removeprefix('model.lm.')} is not finite. {LOWER}")


def _own_part(weight: Tensor) -> Tensor:
    """Return a sharded weight's part on this rank, or the whole weight if it is not sharded."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


def _is_finite(weight: Tensor) -> bool:
    """Tell whether all values of a tensor are finite; it may have none.

    Looks at its extremes, which a NaN becomes too: `isfinite` would make copies of the tensor.
    """
    return weight.numel() == 0 or bool(torch.stack(torch.aminmax(weight)).isfinite().all())


class DropOnFailure(Callback):
    """A callback that keeps Lightning from copying the model and the optimizer's state to the host if a run fails."""

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        """Delete the module's model, and clear the state of its optimizers."""
        del module.model
        for optimizer in trainer.optimizers:
            optimizer.state.clear()


@contextmanager
def explain_lack_of_memory(step: Step, plan: MemoryPlan, layers: int) -> Iterator[None]:
    """Turn the block's out-of-memory error into one of ours that names the settings to change, the cheapest first.

    Args:
        layers: decoder layers of the model.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one, too
        if not is_out_of_memory(error):
            raise
        largest = max(step.micro_batches, key=lambda batch: len(batch.input_ids))
        tokens, documents = len(largest.input_ids), len(largest.cu_seqlens) - 1
        remedies = []
        if plan.recomputed_layers < layers:
            remedies.append(f"trainer.activation_checkpointing={layers} (results stay the same)")
        if documents > 1:
            smaller = min(plan.tokens_per_micro_batch, tokens) // 2
            remedies.append(f"trainer.tokens_per_micro_batch={smaller} (results stay the same)")
        remedies += ["model/lora=rank16", "trainer=fsdp with more GPUs", "a smaller model.max_length"]
        raise OutOfMemoryError(
            f"out of memory: the largest micro-batch of this step has {tokens:,} tokens in {documents} examples. In "
            f"this order, try {', '.join(remedies)}"
        ) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error says that torch, cuBLAS, cuDNN, NCCL or the CPU's allocator ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or OUT_OF_MEMORY.search(str(error)) is not None
