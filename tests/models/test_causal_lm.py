"""The loss is the library's own, and does not depend on how a step is laid out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from coig.config import ConfigError
from coig.data.batches import micro_batches
from coig.data.dataset import Encoded
from coig.data.encoding import Encoder
from coig.data.tokenizer import load_tokenizer
from coig.models.causal_lm import export, load_model, weighted_nll
from coig.schema import Model

TINY = Model(
    name="tiny",
    path="sample:tiny",
    weights="random",
    max_length=512,
    learning_rate=1e-3,
    system_prompt=None,
    template_arguments={},
)


@pytest.fixture(scope="module")
def model() -> Any:
    return load_model(TINY, seed=0)


def step(lengths: list[int]) -> list[Encoded]:
    """Examples of random ids whose first half is a prompt."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for length in lengths:
        ids = torch.randint(3, 8000, (length,), generator=generator).int().numpy()
        rows.append(Encoded("id", "creative", "zh", ids, (length // 2, 0, length - length // 2), (0.0, 1.0, 1.0)))
    return rows


def test_the_loss_is_the_librarys_over_the_whole_step(model: Any) -> None:
    [batch] = micro_batches(step([40, 17, 9]), pad_id=0, token_budget=10_000)
    labels = batch.input_ids.masked_fill(batch.weights == 0, -100)
    attention_mask = (torch.arange(40) < torch.tensor([[40], [17], [9]])).long()
    library = model(input_ids=batch.input_ids, attention_mask=attention_mask, labels=labels).loss
    assert torch.allclose(weighted_nll(model, batch) / batch.total_weight, library, rtol=1e-6)


@pytest.mark.parametrize("token_budget", [1, 64, 100])
def test_gradients_do_not_depend_on_the_layout(model: Any, token_budget: int) -> None:
    def gradients(budget: int) -> torch.Tensor:
        model.zero_grad()
        batches = micro_batches(step([40, 33, 17, 17, 9, 5]), pad_id=0, token_budget=budget)
        total = sum(batch.total_weight for batch in batches)
        for batch in batches:
            torch.autograd.backward(weighted_nll(model, batch) / total)
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    reference, other = gradients(10_000), gradients(token_budget)
    assert float((reference - other).norm() / reference.norm()) <= 1e-5


def test_weights_scale_a_tokens_share_of_the_loss(model: Any) -> None:
    [one] = step([20])
    [plain] = micro_batches([one], pad_id=0, token_budget=100)
    doubled = plain._replace(weights=plain.weights * 2)
    assert torch.allclose(2 * weighted_nll(model, plain), weighted_nll(model, doubled))


def test_random_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(99)
    first, second, other = (load_model(TINY, seed).lm_head.weight for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_plain_transformers_loads_the_export(model: Any, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(TINY)
    export(model, tokenizer, Encoder(tokenizer, None).end_id, tmp_path / "model")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    ids = AutoTokenizer.from_pretrained(tmp_path / "model")("春天的雨", return_tensors="pt").input_ids
    assert torch.equal(loaded(ids).logits, model(ids).logits)
    assert loaded.generation_config.eos_token_id == [tokenizer.convert_tokens_to_ids("<|im_end|>")]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_that_caps_its_logits_is_refused(tmp_path: Path) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "head_dim": 8, "vocab_size": 32}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "final_logit_softcapping": 0.01}
    Gemma2ForCausalLM(Gemma2Config(**sizes, **heads)).save_pretrained(tmp_path)
    capped = TINY.model_copy(update={"path": str(tmp_path), "weights": "pretrained", "attn_implementation": "eager"})
    with pytest.raises(ConfigError, match="scales or caps its logits"):
        load_model(capped, 0)


def test_a_pretrained_model_is_in_training_mode(model: Any, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    assert load_model(TINY.model_copy(update={"path": str(tmp_path), "weights": "pretrained"}), 0).training


@pytest.mark.parametrize("path", ["nobody/no-such-model", "sample:."])
def test_a_model_that_cannot_be_had(path: str) -> None:
    missing = TINY.model_copy(update={"path": path})
    for load in (load_tokenizer, lambda model: load_model(model, 0)):
        with pytest.raises(ConfigError, match=r"model\.path=.*HF_HUB_OFFLINE"):
            load(missing)
