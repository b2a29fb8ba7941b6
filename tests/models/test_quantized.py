"""A base in 4 bits is near the whole one, only its adapters learn, and they end in the whole one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from coig.config import Lora, Model
from coig.data.steps import MicroBatch, Stepper
from coig.models.adapters import add_adapters
from coig.models.causal_lm import CausalLM
from coig.models.loading import load_model
from coig.models.quantized import gather_unquantized, quantize_frozen
from tests.models.test_causal_lm import TINY, examples

LORA = Lora(rank=16, alpha=32, dropout=0.0, targets="all-linear", base_bits=4)
PRETRAINED: Model = TINY.model_copy(update={"weights": "pretrained", "lora": LORA})


def adapted(*, quantized: bool) -> Any:
    lm = load_model(PRETRAINED, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        add_adapters(lm, LORA)
    if quantized:
        quantize_frozen(lm, torch.float32)
    return lm


@pytest.fixture(scope="module")
def batch() -> MicroBatch:
    [batch] = Stepper(10_000).step(examples()).micro_batches
    return batch


def test_the_loss_is_near_that_of_the_whole_base(batch: MicroBatch) -> None:
    whole, quantized = (CausalLM(adapted(quantized=choice)) for choice in (False, True))
    losses = [float(lm(batch, 1.0)[0].detach()) for lm in (whole, quantized)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]
    with torch.no_grad():  # as in a validation
        assert float(quantized.eval()(batch, 1.0)[0]) == pytest.approx(losses[1], rel=1e-5)
    sizes = [
        sum(p.nbytes for p in lm.lm.get_decoder().layers.parameters() if not p.requires_grad)
        for lm in (whole, quantized)
    ]
    assert sizes[1] < sizes[0] / 7


def test_a_step_changes_adapters_only_and_they_are_merged_into_the_whole_base(batch: MicroBatch) -> None:
    lm = adapted(quantized=True)
    before = {name: weight.detach().clone() for name, weight in lm.named_parameters()}
    optimizer = torch.optim.SGD([weight for weight in lm.parameters() if weight.requires_grad], lr=1.0)
    CausalLM(lm)(batch, 1e-3)[0].backward()
    optimizer.step()
    changed = {name for name, weight in lm.named_parameters() if not torch.equal(weight, before[name])}
    assert changed
    assert all("lora_B" in name for name in changed)  # A gets no gradient while B is 0
    weights = gather_unquantized(lm, load_model(PRETRAINED, seed=0), LORA)
    base = load_model(PRETRAINED, seed=0).state_dict()
    assert all(torch.equal(weights[name], lm.state_dict()[name]) for name in weights if "lora_" in name)
    stored = {name.replace(".base_layer", ""): weight for name, weight in weights.items() if "lora_" not in name}
    assert stored.keys() == base.keys()
    assert all(torch.equal(stored[name], weight) for name, weight in base.items())


def test_the_same_base_is_quantized_alike_when_a_run_resumes() -> None:
    first, again = (adapted(quantized=True).state_dict() for _ in range(2))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
