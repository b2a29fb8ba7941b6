"""Count the memory of a training step, without a GPU and without the model's weights.

Two decoder layers of the model, with its embeddings, output head and loss, take a forward and a backward pass on fake
tensors, which have shapes but no data. Their optimizer is built, too, since it chooses dtypes and hooks gradients. From
the bytes that are alive at each moment follows the peak of all layers:

    peak = states + kept layers · a layer kept + recomputed layers · a layer recomputed + the rest

States are weights, gradients and the optimizer's own. Not counted: the CUDA context, the kernels' workspaces and
fragmentation. `trainer.compile` needs less than is counted.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AttentionInterface, AutoModelForCausalLM

from coig.data.steps import MicroBatch
from coig.models.attention import packed_attention
from coig.models.causal_lm import CausalLM
from coig.models.loss import CHUNK_ROWS
from coig.models.quantized import BYTES_A_WEIGHT, frozen_linears

COUNTED_LAYERS = 2
ON_GPU = "packed_on_gpu"  # packed attention as on a GPU, for fake tensors on a CPU
AttentionInterface.register(ON_GPU, partial(packed_attention, path="varlen"))
PLANNED = 0.95  # share of the free memory; the rest is left to fragmentation
WORKSPACES = 1e9  # bytes of cuBLAS and the kernels, and as many of NCCL
CONTEXT = 0.6e9  # bytes that CUDA takes of a card before anything is free


@dataclass(frozen=True)
class Setup:
    """What a step's memory depends on, besides the architecture of the model and the length of micro-batches.

    Args:
        prepare: makes a model of transformers trainable, without compiling it.
        optimizer: builds an optimizer of parameters.
        mixed: whether the model computes in bf16 whatever the dtype of its weights.
        quantized: whether the frozen weights of the decoder are kept in 4 bits.
        sharded: whether FSDP2 gives each rank a part of every weight.
        ranks: GPUs that train together.
    """

    prepare: Callable[[Any], CausalLM]
    optimizer: Callable[[list[Parameter]], Optimizer]
    mixed: bool = True
    quantized: bool = False
    sharded: bool = False
    ranks: int = 1


@dataclass(frozen=True)
class Pass:
    """The bytes of one micro-batch's forward and backward pass: what each layer keeps, and the rest at the peak."""

    layer: int
    rest: int


@dataclass(frozen=True)
class Footprint:
    """The bytes that training takes of one GPU, for micro-batches of one length.

    Args:
        layers: decoder layers of the model.
        states: bytes of weights, gradients and optimizer states.
        kept, recomputed: the pass if all layers keep their activations, and if all compute them again.
    """

    layers: int
    states: float
    kept: Pass
    recomputed: Pass

    def peak(self, recomputed_layers: int) -> float:
        """Return the most bytes that are alive at once if the first `recomputed_layers` recompute their activations."""
        inputs, kept_layers = recomputed_layers * self.recomputed.layer, self.layers - recomputed_layers
        moments = []
        if kept_layers:  # at the output head or in the last layer's backward pass
            moments.append(inputs + kept_layers * self.kept.layer + self.kept.rest)
        if recomputed_layers:  # while the last of them is recomputed
            moments.append(inputs + self.recomputed.rest)
        return self.states + max(moments)


def usable_bytes(free: float, ranks: int) -> float:
    """Return the bytes of a GPU's free memory that may be planned for: PLANNED of it after WORKSPACES.

    Several ranks take twice the workspaces.
    """
    return PLANNED * (free - WORKSPACES * (1 if ranks == 1 else 2))


class MemoryCounter:
    """Counts the bytes that training a model takes of each GPU.

    states: bytes of weights, gradients and optimizer states.

    Args:
        architecture: the model's transformers config.
        chunk_rows: rows of logits that the loss has in memory at a time.

    Raises all kinds of errors if model or optimizer do not run on fake tensors.
    """

    def __init__(self, setup: Setup, architecture: Any, chunk_rows: int = CHUNK_ROWS["cuda"]) -> None:
        self._setup = setup
        self._layers = architecture.get_text_config().num_hidden_layers
        self._model = make_model(setup, _of_two_layers(architecture))
        self._model.head_chunk_rows = chunk_rows
        self.states = _states(setup, self._model, self._layers)
        self._fake = FakeTensorMode()
        with self._fake:
            make_fake(self._model)
            _set_dtypes(setup, self._model)

    def footprint(self, size: int) -> Footprint:
        """Return the footprint for micro-batches of `size` tokens, all of them supervised."""
        passes = []
        for recomputed in (0, COUNTED_LAYERS):
            self._model.checkpoint_activations(recomputed)
            with self._fake:
                passes.append(_count_pass(self._setup, self._model, size))
        return Footprint(self._layers, self.states, *passes)


def _of_two_layers(architecture: Any) -> Any:
    """Return a copy of a transformers config with COUNTED_LAYERS decoder layers."""
    small = deepcopy(architecture)
    text = small.get_text_config()
    text.num_hidden_layers = COUNTED_LAYERS
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[:COUNTED_LAYERS]
    return small


def make_model(setup: Setup, architecture: Any) -> CausalLM:
    """Return a model as it is trained, but for what its optimizer changes, on the meta device."""
    published = architecture.dtype or torch.float32  # read first, as the model changes it
    with torch.device("meta"):
        lm = AutoModelForCausalLM.from_config(architecture, dtype=torch.float32, attn_implementation=ON_GPU).train()
        lm.published_dtype = published
        model = setup.prepare(lm)
    model.head_chunk_rows = CHUNK_ROWS["cuda"]
    return model


def make_fake(model: CausalLM) -> None:
    """Replace a meta model's weights and buffers by fake tensors of the CPU, in place; tied weights stay tied.

    Must be called in a FakeTensorMode.
    """
    made: dict[Tensor, Any] = {}
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None and weight not in made:
                made[weight] = Parameter(torch.empty(weight.shape, dtype=weight.dtype), weight.requires_grad)
            module._parameters[name] = made[weight] if weight is not None else None
        for name, buffer in module._buffers.items():
            module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype) if buffer is not None else None


def _set_dtypes(setup: Setup, model: CausalLM) -> None:
    """Give the fake weights, in place, the dtypes and hooks that they have in a forward and backward pass."""
    if not setup.sharded:
        setup.optimizer(_trained_weights(model))
        return
    for weight in _trained_weights(model):  # fsdp gathers weights, and has gradients, in the dtype that it computes in
        weight.data = weight.data.to(torch.bfloat16 if setup.mixed else torch.float32)


def _states(setup: Setup, model: CausalLM, layers: int) -> float:
    """Return the bytes of weights, gradients and optimizer states of a model with `layers` layers, on one rank."""
    more, layer = layers - COUNTED_LAYERS, model.layers[-1]
    trained = _numel(_trained_weights(model)) + more * _numel(_trained_weights(layer))
    frozen: float = _nbytes(_frozen_weights(model)) + more * _nbytes(_frozen_weights(layer))
    if setup.quantized:
        frozen -= _saved_by_4_bits(model.lm.get_decoder()) + more * _saved_by_4_bits(layer)
    size, gradient = bytes_a_parameter(setup.optimizer)
    if not setup.sharded:
        return trained * size + frozen
    gradients_in_fp32 = torch.float32.itemsize - gradient.itemsize  # as shards have them
    return (trained * (size + gradients_in_fp32) + frozen) / setup.ranks


def _saved_by_4_bits(decoder: torch.nn.Module) -> float:
    """Return by how many bytes a decoder, or a part of it, shrinks when its frozen weights are quantized."""
    weights = [layer.weight for _, _, layer in frozen_linears(decoder)]
    return _nbytes(weights) - BYTES_A_WEIGHT * _numel(weights)


def _count_pass(setup: Setup, model: CausalLM, size: int) -> Pass:
    """Run the model on a micro-batch of `size` tokens and return its pass; gradients of earlier ones exist already.

    The weights keep gradients afterwards.
    """
    batch, alive = fake_batch(size), list[int]()
    for weight in _trained_weights(model):
        weight.grad = torch.zeros(weight.shape, dtype=weight.grad_dtype)
    inputs = [part for part in batch if isinstance(part, Tensor)]
    # a generator: autograd would copy a gradient that a list refers to
    gradients = (weight.grad for weight in _trained_weights(model) if weight.grad is not None)
    counter = LiveBytes(chain(model.parameters(), model.buffers(), inputs, gradients))
    hooks = [layer.register_forward_hook(lambda *_: alive.append(counter.live)) for layer in model.layers]
    casts = setup.mixed and not setup.sharded  # fsdp does it by itself
    with counter, torch.autocast("cpu", torch.bfloat16) if casts else nullcontext():
        loss, _ = model(batch, 1.0)
        loss.backward()
    for hook in hooks:
        hook.remove()
    layer = alive[1] - alive[0]
    unpacked = _largest_unpacked(model) if setup.quantized else 0
    gathered = _nbytes(model.parameters()) if setup.sharded else 0  # of two layers, as fsdp gathers the next one early
    return Pass(layer, counter.peak - COUNTED_LAYERS * layer + gathered + unpacked)


def _largest_unpacked(model: CausalLM) -> int:
    """Return the bytes of the largest quantized weight in bf16, in which a layer computes."""
    weights = (layer.weight for _, _, layer in frozen_linears(model.lm.get_decoder()))
    return max((weight.numel() * torch.bfloat16.itemsize for weight in weights), default=0)


def fake_batch(size: int) -> MicroBatch:
    """Return a micro-batch of one document of `size` tokens, all but the first supervised."""
    ids, rows = torch.zeros(size, dtype=torch.int64), torch.zeros(size - 1, dtype=torch.int64)
    bounds, weights = torch.zeros(2, dtype=torch.int32), torch.zeros(size - 1)
    return MicroBatch(ids, ids, bounds, size, rows, rows, weights, rows)


class LiveBytes(TorchDispatchMode):
    """A context that counts the bytes of all tensors made in it that are still alive (`live`), and their `peak`.

    Args:
        known: tensors that exist already and do not count.
    """

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self.sizes = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and return its result; count the storages of the result that are new."""
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        """Add a storage's bytes to `live` until it is freed; do nothing if it is known already."""
        if (key := storage._cdata) in self.sizes:
            return
        self.sizes[key] = storage.nbytes()
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        """Subtract the bytes of a freed storage from `live`."""
        self.live -= self.sizes.pop(key)


def bytes_a_parameter(optimizer: Callable[[list[Parameter]], Optimizer]) -> tuple[float, torch.dtype]:
    """Let an optimizer take a step on a small matrix; return what it makes of a parameter.

    Returns:
        the bytes of weight, gradient and optimizer state per element, and the dtype of the gradient.
    """
    weight = Parameter(torch.zeros(256, 256))
    built = optimizer([weight])
    torch.autograd.backward((weight * 1.0).sum())
    built.step()
    assert weight.grad is not None
    state = [part for part in built.state[weight].values() if isinstance(part, Tensor)]
    return _nbytes([weight, weight.grad, *state]) / weight.numel(), weight.grad.dtype


def _trained_weights(module: torch.nn.Module) -> list[Parameter]:
    """Return the module's weights that are trained."""
    return [weight for weight in module.parameters() if weight.requires_grad]


def _frozen_weights(module: torch.nn.Module) -> list[Parameter]:
    """Return the module's weights that are frozen."""
    return [weight for weight in module.parameters() if not weight.requires_grad]


def _numel(weights: Iterable[Tensor]) -> int:
    """Return the number of elements of all tensors together."""
    return sum(weight.numel() for weight in weights)


def _nbytes(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of all tensors together."""
    return sum(tensor.nbytes for tensor in tensors)
