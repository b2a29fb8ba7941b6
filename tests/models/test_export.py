"""What is exported is what was trained, and plain transformers loads it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from coig.config import Lora
from coig.data.encoding import Encoder
from coig.data.tokenizer import load_tokenizer
from coig.errors import ConfigError
from coig.models.adapters import add_adapters
from coig.models.export import export, make_generation_config
from coig.models.loading import load_model
from tests.models.test_causal_lm import TINY

LORA = Lora(rank=4, alpha=8, dropout=0.1, targets="all-linear")
IDS = torch.arange(3, 40)[None]


def exported(lm: Any, lora: Lora | None, folder: Path) -> Path:
    tokenizer = load_tokenizer(TINY)
    settings = make_generation_config(lm, tokenizer, {Encoder(tokenizer, None).end_id})
    export(lm, lm.state_dict(), lora, tokenizer, settings, folder / "model")
    return folder / "model"


def logits(model: Any) -> torch.Tensor:
    model.eval().set_attn_implementation("eager")
    with torch.no_grad():
        answer: torch.Tensor = model(input_ids=IDS).logits
    return answer


def test_plain_transformers_loads_the_export(tmp_path: Path) -> None:
    lm = load_model(TINY, 0)
    folder = exported(lm, None, tmp_path)
    loaded, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert torch.equal(logits(loaded), logits(lm))
    assert loaded.generation_config.eos_token_id == [tokenizer.convert_tokens_to_ids("<|im_end|>")]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert "packed" not in (folder / "config.json").read_text()


def test_the_export_has_the_dtype_the_model_came_in(tmp_path: Path) -> None:
    load_model(TINY, 0).bfloat16().save_pretrained(tmp_path / "hub")
    lm = load_model(TINY.model_copy(update={"path": str(tmp_path / "hub"), "weights": "pretrained"}), 0)
    assert lm.dtype == torch.float32
    loaded = AutoModelForCausalLM.from_pretrained(exported(lm, None, tmp_path), dtype="auto")
    assert loaded.dtype == torch.bfloat16
    assert torch.equal(loaded.lm_head.weight, lm.lm_head.weight.bfloat16())


def test_a_greedy_base_with_sampling_settings_is_exported_greedy(tmp_path: Path) -> None:
    """transformers reads such a base, as some were published, and refuses to write it."""
    lm = load_model(TINY, 0)
    lm.generation_config.update(do_sample=False, temperature=0.9, top_p=0.6, pad_token_id=-1)
    written = json.loads((exported(lm, None, tmp_path) / "generation_config.json").read_text(encoding="utf-8"))
    assert not {"do_sample", "temperature", "top_p"} & {key for key, value in written.items() if value}
    assert lm.generation_config.temperature == 0.9
    lm.generation_config.update(do_sample=True)
    written = json.loads((exported(lm, None, tmp_path) / "generation_config.json").read_text(encoding="utf-8"))
    assert (written["do_sample"], written["temperature"], written["top_p"]) == (True, 0.9, 0.6)


def test_a_generation_config_that_cannot_be_written_is_refused() -> None:
    lm, tokenizer = load_model(TINY, 0), load_tokenizer(TINY)
    lm.generation_config.update(num_beams=1, length_penalty=0.5)
    with pytest.raises(
        ConfigError, match=r"would not write its generation_config\.json again .*length_penalty.*; correct"
    ):
        make_generation_config(lm, tokenizer, ())


def test_adapters_are_exported_merged_and_by_themselves(tmp_path: Path) -> None:
    base = load_model(TINY, 0)
    base.save_pretrained(tmp_path / "base")
    lm = load_model(TINY, 0)
    add_adapters(lm, LORA)
    for name, weight in lm.named_parameters():
        assert weight.requires_grad == ("lora_" in name)
        weight.data += 0.05 * weight.requires_grad
    folder = exported(lm, LORA, tmp_path)
    expected = logits(lm)
    assert not torch.allclose(expected, logits(base), atol=1e-2)
    assert torch.allclose(logits(AutoModelForCausalLM.from_pretrained(folder)), expected, atol=1e-4)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    beside = PeftModel.from_pretrained(plain, tmp_path / "adapter")
    assert torch.allclose(logits(beside.base_model.model), expected, atol=1e-4)
    targets = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["target_modules"]
    assert targets == sorted(targets)  # the same file in each process


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("q_proj", "v_prj"), "the model has no v_prj; or all-linear"),
        (("q_proj", "embed_tokens"), "embeddings and output head take no adapters"),
        (("lm_head",), "embeddings and output head take no adapters"),
        ("(", "all-linear"),
    ],
)
def test_adapters_need_linear_modules_of_their_names(targets: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        add_adapters(load_model(TINY, 0), LORA.model_copy(update={"targets": targets}))
