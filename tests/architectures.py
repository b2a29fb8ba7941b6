"""The architectures of models of the hub, as their config.json has them, for tests without the hub."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from transformers import LlamaConfig, PreTrainedConfig, Qwen2Config

QWEN2 = partial(Qwen2Config, num_key_value_heads=2, vocab_size=151_936, tie_word_embeddings=True, dtype=torch.bfloat16)
ARCHITECTURES: dict[str, Callable[[], PreTrainedConfig]] = {
    "qwen2.5-0.5b-instruct": partial(
        QWEN2, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14
    ),
    "qwen2.5-1.5b-instruct": partial(
        QWEN2, hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12
    ),
    "qwen2.5-7b-instruct": partial(
        QWEN2,
        hidden_size=3584,
        intermediate_size=18_944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        vocab_size=152_064,
        tie_word_embeddings=False,
    ),
    "llama-3.1-8b-instruct": partial(
        LlamaConfig,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128_256,
        dtype=torch.bfloat16,
    ),
}
