"""Sample tokens so that an answer depends on its seed and query only, not on the rest of the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor

from coig.config import Sampling


class SeededSampling(LogitsProcessor):
    """A logits processor that makes greedy decoding sample: temperature, top-k, top-p, then Gumbel noise.

    The arg max of the result is a sample of the truncated softmax (the Gumbel-max trick). Each row has its own
    generator. This is also faster than `torch.multinomial` over the whole vocabulary.

    Args:
        seeds: one for each row of the batch.
    """

    def __init__(self, sampling: Sampling, seeds: Sequence[int]) -> None:
        self.sampling = sampling
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only the generators of the rows with these indices, when the other rows leave the batch."""
        self.generators = [self.generators[row] for row in rows]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return (B, vocabulary) logits with noise, −inf for tokens that top-k or top-p exclude.

        Args:
            input_ids: ignored.
            scores: (B, vocabulary) logits.
        """
        temperature, top_k, top_p = self.sampling.temperature, self.sampling.top_k, self.sampling.top_p
        size = min(top_k or scores.shape[-1], scores.shape[-1])
        values, tokens = (scores.float() / temperature).topk(size)
        probabilities = values.softmax(-1)
        beyond = probabilities.cumsum(-1) - probabilities >= top_p
        exponential = torch.stack([torch.empty(size).exponential_(generator=g) for g in self.generators])
        noisy = values.masked_fill(beyond, -torch.inf) - exponential.log().to(values.device)
        return torch.full_like(scores, -torch.inf, dtype=noisy.dtype).scatter_(1, tokens, noisy)


def seed_of(seed: int, query_id: str, sample: int = 0) -> int:
    """Return an answer's seed of 56 bits, a hash of the run's seed, the query's id and the sample's number."""
    which = f"{seed}+{sample}" if sample else str(seed)
    return int.from_bytes(hashlib.sha256(f"{which}:{query_id}".encode()).digest()[:7], "big")
