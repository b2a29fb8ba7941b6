"""An export reads the same in transformers 4 and 5."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3TextConfig,
    GPTNeoXConfig,
    LlamaConfig,
    Phi3Config,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from coig.data.tokenizer import load_tokenizer
from coig.models.export import export, make_generation_config
from tests.models.test_causal_lm import TINY

SIZES: dict[str, Any] = {
    "vocab_size": 4096,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LINEAR = {"rope_type": "linear", "factor": 8.0}
LONG = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [2.0, 2.3, 2.6, 2.9]}
GEMMA = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    "full_attention": LINEAR | {"rope_theta": 1e6},
}
# a config of transformers 5, and the keys by which transformers 4 knows its rotary settings
CASES: dict[str, tuple[PretrainedConfig, dict[str, Any]]] = {
    "qwen2": (
        Qwen2Config(**SIZES, rope_parameters={"rope_type": "default", "rope_theta": 1e6}),
        {"rope_theta": 1e6, "rope_scaling": None},
    ),
    "llama3": (
        LlamaConfig(**SIZES, rope_parameters=LLAMA3 | {"rope_theta": 5e5}),
        {"rope_theta": 5e5, "rope_scaling": LLAMA3},
    ),
    "gemma3": (
        Gemma3TextConfig(
            **SIZES,
            sliding_window=16,
            layer_types=["sliding_attention", "full_attention"],
            rope_parameters=GEMMA,
        ),
        {"rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": LINEAR},
    ),
    "gpt_neox": (
        GPTNeoXConfig(**SIZES, rope_parameters={"rope_theta": 2e4, "partial_rotary_factor": 0.5}),
        {"rotary_emb_base": 2e4, "rotary_pct": 0.5},
    ),
    "phi3": (
        Phi3Config(
            **SIZES,
            pad_token_id=0,
            original_max_position_embeddings=64,
            rope_parameters=LONG | {"rope_type": "longrope", "rope_theta": 2e4},
        ),
        {"rope_theta": 2e4, "rope_scaling": LONG | {"type": "longrope"}},
    ),
}
IDS = torch.arange(3, 203)[None]
OLDER = os.environ.get("COIG_TRANSFORMERS_4_PYTHON")
READER = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer, __version__
assert __version__.startswith("4.57."), __version__
for folder in sys.argv[1:]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("<|im_end|>").input_ids == [tokenizer.eos_token_id], folder
    assert "<|im_start|>" in tokenizer.all_special_tokens, folder
    lm = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    expected = torch.load(folder + ".pt")
    with torch.no_grad():
        assert torch.equal(lm(torch.arange(3, 203)[None]).logits, expected), folder
"""


def exported(name: str, folder: Path) -> tuple[Path, torch.Tensor]:
    """An export of random weights, and the logits of the model that was exported."""
    torch.manual_seed(0)
    lm: Any = AutoModelForCausalLM.from_config(CASES[name][0], attn_implementation="eager").eval()
    lm.published_dtype = torch.float32
    backend = load_tokenizer(TINY).backend_tokenizer
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]
    )
    settings = make_generation_config(lm, tokenizer, {int(tokenizer.eos_token_id or 0)})
    export(lm, lm.state_dict(), None, tokenizer, settings, folder / name)
    with torch.no_grad():
        return folder / name, lm(IDS).logits


@pytest.mark.parametrize("name", CASES)
def test_an_export_names_its_settings_for_transformers_4_too(name: str, tmp_path: Path) -> None:
    folder, logits = exported(name, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    assert {key: config[key] for key in CASES[name][1]} == CASES[name][1]
    assert config["torch_dtype"] == config["dtype"] == "float32"
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
    loaded = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    with torch.no_grad():
        assert torch.equal(loaded(IDS).logits, logits)
    assert "<|im_start|>" in AutoTokenizer.from_pretrained(folder).all_special_tokens


@pytest.mark.skipif(not OLDER, reason="COIG_TRANSFORMERS_4_PYTHON names no interpreter with transformers 4.57")
def test_transformers_4_computes_the_same_logits(tmp_path: Path) -> None:
    folders = []
    for name in CASES:
        folder, logits = exported(name, tmp_path)
        torch.save(logits, f"{folder}.pt")
        folders.append(str(folder))
    read = subprocess.run([str(OLDER), "-I", "-c", READER, *folders], capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
