"""Every family of conf/model gets the prompt and the end token that its own template wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3Config

from coig.config import TrainConfig
from coig.data.encoding import Encoder
from coig.data.steps import Stepper
from coig.data.tokenizer import load_tokenizer
from coig.generation.hf import HuggingFaceEngine
from coig.models.causal_lm import CausalLM, freeze_unused
from coig.models.export import export, make_generation_config
from coig.models.flops import TrainingFlops
from coig.models.loading import load_model
from coig.records.query import Query
from tests.generation.asking import GREEDY, completions, requests
from tests.models.test_causal_lm import examples, of_steps
from tests.studies import compose_config, make_arm

CHATML = """{{- first }}{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{{- last }}{%- endif %}"""
# short imitations of the families' templates: what stands in front, around and behind, and what each does by itself
TEMPLATES = {
    "qwen3": CHATML.replace("{{- first }}", "").replace(
        "{{- last }}", "{%- if enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    ),
    "smollm2": CHATML.replace(
        "{{- first }}",
        "{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\\nIts own.<|im_end|>\\n' }}{%- endif %}",
    ).replace("{{- last }}", ""),
    "gemma": """{{- bos_token }}{%- if messages[0].role == 'system' %}{%- set system = messages[0].content + '\\n\\n' %}
{%- set messages = messages[1:] %}{%- endif %}{%- for message in messages %}
{{- '<start_of_turn>' + ('model' if message.role == 'assistant' else 'user') + '\\n' }}
{{- (system or '') if loop.first }}{{- message.content | trim + '<end_of_turn>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}""",
    "llama": """{{- bos_token }}{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' }}
{{- 'Today Date: ' + (date_string if date_string is defined else strftime_now('%d %b %Y')) + '\\n\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content | trim }}{%- set messages = messages[1:] %}{%- endif %}
{{- '<|eot_id|>' }}{%- for message in messages %}
{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' }}
{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}""",
}
TOKENS = {
    "qwen3": ["<|im_start|>", "<|im_end|>"],
    "smollm2": ["<|im_start|>", "<|im_end|>"],
    "gemma": ["<bos>", "<start_of_turn>", "<end_of_turn>"],
    "llama": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
}
SMOLLM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
TODAY = "Today Date: 26 Jul 2024"
# of each family, the prompt that asks "Hi"
PROMPTS = {
    "qwen3": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "gemma": "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    "llama": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
    f"{TODAY}\n\nYou are a helpful assistant.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
    "Hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "smollm2": f"<|im_start|>system\n{SMOLLM}<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
}
MODELS = {
    "qwen3": ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b"],
    "gemma": ["gemma-3-270m-it", "gemma-3-1b-it", "gemma-3-4b-it"],
    "llama": ["llama-3.1-8b-instruct", "llama-3.2-1b-instruct", "llama-3.2-3b-instruct"],
    "smollm2": ["smollm2-135m-instruct", "smollm2-360m-instruct", "smollm2-1.7b-instruct"],
}


def tokenizer_like(family: str) -> Any:
    """The sample's tokenizer with a family's control tokens and an imitation of its template."""
    tokenizer = AutoTokenizer.from_pretrained(load_tokenizer(compose_config().model).name_or_path)
    first = TOKENS[family][0]
    begins = {"bos_token": first} if first not in tokenizer.get_vocab() else {}
    tokenizer.add_special_tokens(begins | {"additional_special_tokens": TOKENS[family]})
    tokenizer.chat_template = TEMPLATES[family]
    return tokenizer


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in MODELS.items() for name in names])
def test_a_model_gets_the_prompt_of_its_family(family: str, name: str) -> None:
    model = compose_config(f"model={name}").model
    assert (model.name, model.path.partition("/")[2].lower()) == (name, name)
    tokenizer = tokenizer_like(family)
    encoder = Encoder.of(model, tokenizer)
    assert tokenizer.decode(encoder.prompt_ids("Hi")) == PROMPTS[family]
    assert encoder.end_id == tokenizer.convert_tokens_to_ids(TOKENS[family][-1])


def test_qwen3_has_a_switch_for_its_thinking() -> None:
    model = compose_config("model=qwen3-0.6b", "model.template_arguments.enable_thinking=false").model
    tokenizer = tokenizer_like("qwen3")
    prompt = tokenizer.decode(Encoder.of(model, tokenizer).prompt_ids("Hi"))
    assert prompt == PROMPTS["qwen3"] + "<think>\n\n</think>\n\n"


@pytest.fixture(scope="module")
def multimodal(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Of a model like Gemma 3 4B, a decoder beside a vision tower, published in bf16."""
    folder = tmp_path_factory.mktemp("gemma")
    text = {
        **{"vocab_size": 8192, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8},
        **{"num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 16},
        **{"layer_types": ["sliding_attention", "full_attention"], "max_position_embeddings": 512},
    }
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes = {"image_size": 28, "patch_size": 14}
    torch.manual_seed(0)
    config = Gemma3Config(text_config=text, vision_config=vision | sizes, mm_tokens_per_image=4)
    AutoModelForCausalLM.from_config(config).bfloat16().save_pretrained(folder)
    load_tokenizer(compose_config().model).save_pretrained(folder)
    return compose_config(f"model.path={folder}")


def test_of_a_multimodal_model_the_decoder_is_trained(multimodal: TrainConfig) -> None:
    lm = load_model(multimodal.model, 0)
    freeze_unused(lm)
    frozen = {name for name, weight in lm.named_parameters() if not weight.requires_grad}
    assert frozen == {n for n, _ in lm.named_parameters() if "vision_tower" in n or "projector" in n}
    model = CausalLM(lm)
    assert len(model.layers) == 2  # and not the vision tower's
    decoder = sum(p.numel() for p in lm.get_decoder().parameters()) - lm.get_input_embeddings().weight.numel()
    assert TrainingFlops(lm).per_token == 6 * decoder
    of_steps(model, Stepper(10_000).step(examples()))  # all that is left has a gradient


def test_a_multimodal_model_is_exported_and_answers(multimodal: TrainConfig, tmp_path: Path) -> None:
    arm = make_arm(tmp_path / "multirun" / "s" / "cw", f"model.path={multimodal.model.path}")
    lm, tokenizer = load_model(multimodal.model, 0), load_tokenizer(multimodal.model)
    settings = make_generation_config(lm, tokenizer, ())
    export(lm, lm.state_dict(), None, tokenizer, settings, arm.model)
    asked = requests(arm, [Query(id="q", lang="en", genre="none", query="Hi")])
    sampling = GREEDY.model_copy(update={"max_new_tokens": 8})
    engine = HuggingFaceEngine(None)
    engine.load(arm, tokenizer, sampling, 0)
    [answer] = completions(engine, asked).values()
    assert answer.error is None
    loaded = AutoModelForCausalLM.from_pretrained(arm.model)
    assert torch.equal(loaded.lm_head.weight, lm.lm_head.weight.bfloat16())
