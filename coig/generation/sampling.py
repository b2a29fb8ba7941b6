"""Sampling whose choice depends on the seed and the query alone, not on the batch around it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor

from coig.schema import Sampling


class SeededSampling(LogitsProcessor):
    """Temperature, top-k, top-p, then Gumbel noise from a generator per query.

    The arg max of the result is a sample of the truncated softmax (the Gumbel-max trick), so greedy decoding samples.
    It is also faster than `torch.multinomial` over the whole vocabulary.
    """

    def __init__(self, sampling: Sampling, seed: int, query_ids: Sequence[str]) -> None:
        self.sampling = sampling
        self.generators = [torch.Generator().manual_seed(_seed_of(seed, query)) for query in query_ids]

    def of(self, rows: Sequence[int]) -> SeededSampling:
        """The same sampling, going on with some rows of the batch only."""
        rest = SeededSampling(self.sampling, 0, [])
        rest.generators = [self.generators[row] for row in rows]
        return rest

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores: (B, vocabulary) logits of the next token; returns noisy ones, −inf where sampling never goes."""
        size = min(self.sampling.top_k or scores.shape[-1], scores.shape[-1])
        values, tokens = (scores.float() / self.sampling.temperature).topk(size)
        probabilities = values.softmax(-1)
        beyond = probabilities.cumsum(-1) - probabilities >= self.sampling.top_p
        exponential = torch.stack([torch.empty(size).exponential_(generator=g) for g in self.generators])
        noisy = values.masked_fill(beyond, -torch.inf) - exponential.log().to(values.device)
        return torch.full_like(scores, -torch.inf, dtype=noisy.dtype).scatter_(1, tokens, noisy)


def _seed_of(seed: int, query: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{query}".encode()).digest()[:7], "big")
