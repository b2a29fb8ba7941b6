"""Compute bits per character, a measure of prediction that is comparable across tokenizers and compressors."""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy


def unigram_bits(known: Sequence[str], texts: Sequence[str]) -> float:
    """Return the bits per character of `texts` under the character frequencies of `known`, with add-one smoothing."""
    counts, wanted = Counter("".join(known)), Counter("".join(texts))
    total = counts.total() + len(counts | wanted)
    bits = -sum(times * math.log2((counts[character] + 1) / total) for character, times in wanted.items())
    return bits / wanted.total()


def gzip_bits(texts: Sequence[str]) -> float:
    """Return the bits per character of `texts`, joined and compressed by gzip."""
    text = "\n".join(texts)
    return 8 * len(gzip.compress(text.encode(), compresslevel=9)) / len(text)


@torch.inference_mode()
def model_bits(lm: Any, documents: Sequence[Sequence[int]], characters: int) -> float:
    """Return the bits per character of documents under a causal LM.

    A first token costs log2(vocabulary), as the model cannot predict it.

    Args:
        documents: token ids of each, with the end token.
        characters: number of characters of all documents.
    """
    bits = len(documents) * math.log2(lm.config.vocab_size)
    for ids in map(torch.tensor, documents):
        logits = lm(input_ids=ids[None]).logits[0, :-1]
        bits += float(cross_entropy(logits.float(), ids[1:], reduction="sum")) / math.log(2)
    return bits / characters
