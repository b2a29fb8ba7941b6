"""Compute a causal LM's weighted loss on packed documents; the LM is one of transformers."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from coig.data.steps import MicroBatch
from coig.models.loss import linear_nll


class CausalLM(nn.Module):
    """A causal LM of transformers whose forward pass returns its loss on a micro-batch.

    Only supervised rows enter the output head, which is most of a small model's work.
    """

    def __init__(self, lm: Any, head_chunk_rows: int | None = None) -> None:
        super().__init__()
        self.lm = lm
        self.head_chunk_rows = head_chunk_rows

    def forward(self, batch: MicroBatch, scale: float) -> tuple[Tensor, Tensor]:
        """Compute the loss, `scale` · Σ weight · −log p(target | its document's earlier tokens).

        Returns:
            the loss, an fp32 scalar; and −log p of each of the S supervised tokens, (S,) fp32, without gradient.
        """
        hidden = compute_hidden_states(self.lm, batch)[batch.rows]
        head = self.lm.get_output_embeddings().weight
        return linear_nll(hidden, head, batch.targets, batch.weights * scale, self.head_chunk_rows)

    @property
    def layers(self) -> list[Any]:
        """Return the decoder's layers, in order."""
        return [module for module in self.lm.get_decoder().modules() if isinstance(module, GradientCheckpointingLayer)]

    def checkpoint_activations(self, count: int) -> None:
        """Let the first `count` layers, and only these, recompute their activations in the backward pass."""
        for number, layer in enumerate(self.layers):
            layer.gradient_checkpointing = number < count
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)

    def compile_layers(self) -> None:
        """Compile each layer in place, for any number of tokens; parameters keep their names."""
        for layer in self.layers:
            layer.compile(dynamic=True)


def compute_hidden_states(lm: Any, batch: MicroBatch) -> Tensor:
    """Return the decoder's last hidden states for a micro-batch, (T, d), before the output head."""
    bounds = {"cu_seq_lens_q": batch.cu_seqlens, "cu_seq_lens_k": batch.cu_seqlens}
    longest = {"max_length_q": batch.max_seqlen, "max_length_k": batch.max_seqlen}
    ids, positions = batch.input_ids[None], batch.position_ids[None]
    output = lm.get_decoder()(input_ids=ids, position_ids=positions, use_cache=False, **bounds, **longest)
    hidden: Tensor = output.last_hidden_state[0]
    return hidden


def freeze_unused(lm: Any) -> None:
    """Freeze, in place, the weights that no text passes through, such as the vision tower of a multimodal model."""
    used = {id(weight) for part in (lm.get_decoder(), lm.get_output_embeddings()) for weight in part.parameters()}
    for weight in lm.parameters():
        if id(weight) not in used:
            weight.requires_grad_(False)
