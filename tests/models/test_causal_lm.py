"""The loss and its gradients are the library's own on a padded batch, and do not depend on how a step is laid out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Gemma2Config, Gemma2ForCausalLM, MistralConfig, MistralForCausalLM

from coig.config import Model
from coig.data.steps import Step, Stepper
from coig.data.tokenizer import load_tokenizer
from coig.data.tokens import Encoded
from coig.errors import ConfigError
from coig.models.causal_lm import CausalLM
from coig.models.loading import load_model

TINY = Model(
    name="tiny",
    path="sample:tiny",
    weights="random",
    max_length=512,
    learning_rate=1e-3,
    system_prompt=None,
    template_arguments={},
)
LENGTHS = [40, 33, 17, 17, 9, 5]
SMALL = {
    "vocab_size": 8192,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.fixture
def model() -> CausalLM:
    return CausalLM(load_model(TINY, seed=0))


def examples() -> list[Encoded]:
    """Random ids, a third of them a prompt; the reasoning bears half of the answer's loss."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for length in LENGTHS:
        ids = torch.randint(3, 8000, (length,), generator=generator).int().numpy()
        segments = length // 3, length // 3, length - 2 * (length // 3)
        rows.append(Encoded("id", "creative", "zh", ids, segments, (0.0, 0.5, 1.0)))
    return rows


def gradient(model: CausalLM) -> Tensor:
    parts = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return torch.cat(parts)


def of_steps(model: CausalLM, *steps: Step) -> tuple[float, Tensor]:
    """Loss and gradient of one optimizer step, whose ranks' shares are given."""
    loss = 0.0
    for step in steps:
        for batch in step.micro_batches:
            part, _ = model(batch, 1 / step.total_weight)
            part.backward()
            loss += float(part.detach())
    return loss, gradient(model)


def of_a_padded_batch(model: CausalLM) -> tuple[float, Tensor]:
    """The same through transformers alone: one padded batch, an attention mask, and every token's logits."""
    rows = examples()
    ids, weights = torch.zeros(len(rows), max(LENGTHS), dtype=torch.long), torch.zeros(len(rows), max(LENGTHS))
    for row, (example, length) in enumerate(zip(rows, LENGTHS, strict=True)):
        ids[row, :length] = torch.tensor(example.input_ids)
        weights[row, :length] = torch.tensor(example.weights)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    model.lm.set_attn_implementation("eager")
    logits = model.lm(input_ids=ids, attention_mask=mask).logits[:, :-1]
    nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    loss = (nll * weights[:, 1:]).sum() / weights[:, 1:].sum()
    torch.autograd.backward(loss)
    model.lm.set_attn_implementation("packed")
    return float(loss.detach()), gradient(model)


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("token_budget", [1, 45, 64, 10_000])
@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_gradients_are_those_of_a_padded_batch(model: CausalLM, token_budget: int, ranks: int) -> None:
    expected_loss, expected = of_a_padded_batch(model)
    shares = [Stepper(token_budget, 0.01, rank, ranks).step(examples()) for rank in range(ranks)]
    loss, ours = of_steps(model, *shares)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert relative(ours, expected) <= 1e-5


@pytest.mark.parametrize("layers", [1, 3])
def test_computing_activations_twice_changes_nothing(model: CausalLM, layers: int) -> None:
    step = Stepper(10_000).step(examples())
    _, expected = of_steps(model, step)
    model.checkpoint_activations(layers)
    assert sum(layer.gradient_checkpointing for layer in model.layers) == layers
    assert torch.equal(of_steps(model, step)[1], expected)


@pytest.mark.slow
def test_compiled_layers_compute_the_same_under_the_same_names(model: CausalLM) -> None:
    names = list(model.state_dict())
    steps = [Stepper(budget).step(examples()) for budget in (10_000, 64)]
    expected = [of_steps(model, step)[1] for step in steps]
    model.compile_layers()
    assert all(
        relative(of_steps(model, step)[1], gradients) <= 1e-5 for step, gradients in zip(steps, expected, strict=True)
    )
    assert list(model.state_dict()) == names


def test_each_tokens_loss_is_reported_beside_the_sum(model: CausalLM) -> None:
    step = Stepper(10_000).step(examples())
    [batch] = step.micro_batches
    loss, nll = model(batch, 1.0)
    assert torch.allclose(loss, (nll * batch.weights).sum())


def test_random_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(99)
    first, second, other = (load_model(TINY, seed).lm_head.weight for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def saved(model: Any, folder: Path) -> Model:
    model.save_pretrained(folder)
    return TINY.model_copy(update={"path": str(folder), "weights": "pretrained"})


def test_a_pretrained_model_is_in_training_mode(tmp_path: Path) -> None:
    assert load_model(saved(load_model(TINY, 0), tmp_path), 0).training


def test_a_sliding_window_is_kept(tmp_path: Path) -> None:
    mistral = MistralForCausalLM(MistralConfig(**SMALL, sliding_window=8))
    windowed = CausalLM(load_model(saved(mistral, tmp_path), 0))
    _, expected = of_a_padded_batch(windowed)
    _, ours = of_steps(windowed, Stepper(64).step(examples()))
    assert relative(ours, expected) <= 1e-5


@pytest.mark.parametrize(
    ("caps", "message"),
    [
        ({"final_logit_softcapping": 0.01, "attn_logit_softcapping": None}, "scales or caps its logits"),
        (
            {"final_logit_softcapping": None, "attn_logit_softcapping": 50.0},
            "packed attention knows no dropout, soft cap",
        ),
    ],
)
def test_a_model_that_caps_its_logits_is_refused(tmp_path: Path, caps: dict[str, Any], message: str) -> None:
    capped = Gemma2ForCausalLM(Gemma2Config(**SMALL, head_dim=8, **caps))
    with pytest.raises(ConfigError, match=message):
        load_model(saved(capped, tmp_path), 0)


def test_a_model_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    """transformers would draw them at random and go on."""
    model = load_model(TINY, 0)
    without = {name: weight for name, weight in model.state_dict().items() if "layers.1.mlp" not in name}
    model.save_pretrained(tmp_path, state_dict=without)
    with pytest.raises(ConfigError, match=r"lack 3 weights, model\.layers\.1\.mlp\.down_proj\.weight among them"):
        load_model(TINY.model_copy(update={"path": str(tmp_path), "weights": "pretrained"}), 0)


def test_attention_dropout_is_refused_and_not_left_out(tmp_path: Path) -> None:
    dropping = MistralForCausalLM(MistralConfig(**SMALL, attention_dropout=0.1))
    model = CausalLM(load_model(saved(dropping, tmp_path), 0))
    with pytest.raises(ConfigError, match="no dropout"):
        of_steps(model, Stepper(64).step(examples()))


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    model = load_model(TINY, 0)
    pickled = saved(model, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="safetensors"):
        load_model(pickled, 0)


@pytest.mark.parametrize("left", [0, 100, -100])
def test_weights_that_are_cut_short_are_refused(left: int, tmp_path: Path) -> None:
    whole = saved(load_model(TINY, 0), tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ConfigError, match=rf"model\.path={tmp_path}: its weights are damaged \(.*\); download"):
        load_model(whole, 0)


@pytest.mark.parametrize("path", ["nobody/no-such-model", "sample:."])
def test_a_model_that_cannot_be_had(path: str) -> None:
    missing = TINY.model_copy(update={"path": path})
    for load in (load_tokenizer, lambda model: load_model(model, 0)):
        with pytest.raises(ConfigError, match=r"model\.path=.*HF_HUB_OFFLINE"):
            load(missing)
