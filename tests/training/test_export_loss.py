"""What rounding an export costs is measured, said where it is much, and left to the user."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from coig.config import Lora, TrainConfig
from coig.data.steps import Stepper
from coig.data.tokenizer import load_tokenizer
from coig.data.tokens import Encoded
from coig.errors import ConfigError
from coig.models.adapters import add_adapters
from coig.models.causal_lm import CausalLM
from coig.models.export import export, make_generation_config
from coig.models.loading import load_model
from coig.study.arm import Arm
from coig.study.manifest import ExportFacts, MemoryPlan
from coig.training.export_loss import measure_export
from tests.models.test_causal_lm import examples
from tests.studies import compose_config

VALIDATION = examples()
PLAN = MemoryPlan(tokens_per_micro_batch=64, recomputed_layers=0)


def loss_of(lm: Any) -> float:
    step = Stepper(PLAN.tokens_per_micro_batch).step(VALIDATION)
    with torch.no_grad():
        return sum(float(CausalLM(lm)(batch, 1 / step.total_weight)[0]) for batch in step.micro_batches)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Of a base that is published in bf16."""
    folder = tmp_path_factory.mktemp("base")
    tiny = compose_config("data.ratio=0", "trainer=cpu")
    load_model(tiny.model, 0).bfloat16().save_pretrained(folder)
    load_tokenizer(tiny.model).save_pretrained(folder)
    return tiny.model_copy(update={"model": tiny.model.model_copy(update={"path": str(folder)})})


def learned(lm: Any, rate: float) -> float:
    """Take one step down the validation loss itself; returns the loss behind it."""
    step = Stepper(10_000).step(VALIDATION)
    CausalLM(lm)(step.micro_batches[0], 1 / step.total_weight)[0].backward()
    with torch.no_grad():
        for weight in lm.parameters():
            if weight.grad is not None:
                weight -= rate * weight.grad.sign()
    return loss_of(lm)


def rounded(lm: Any) -> None:
    """Round the weights, and not the buffers, to bf16."""
    for weight in lm.parameters():
        weight.data = weight.data.bfloat16().float()


def measured(
    config: TrainConfig, lm: Any, folder: Path, dtype: torch.dtype, validation: Sequence[Encoded] = VALIDATION
) -> ExportFacts:
    """Export the model as an arm whose last validation gave its loss, and measure it."""
    arm = Arm(folder / "cw")
    arm.folder.mkdir()
    arm.metrics.write_text(json.dumps({"step": 0, "validation/loss": loss_of(lm)}) + "\n")
    tokenizer = load_tokenizer(config.model)
    settings = make_generation_config(lm, tokenizer, ())
    export(lm, lm.state_dict(), config.model.lora, tokenizer, settings, arm.model, dtype)
    return measure_export(config, arm, dtype, validation, PLAN, is_changed=True)


def test_a_short_run_loses_much_of_what_it_learned(
    config: TrainConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lm = load_model(config.model, 0)
    base, trained = loss_of(lm), learned(lm, rate=1e-5)
    with caplog.at_level(logging.WARNING):
        facts = measured(config, lm, tmp_path, torch.bfloat16)
    assert facts.dtype == "bfloat16"
    assert facts.base_loss == pytest.approx(base)
    assert facts.trained_loss == pytest.approx(trained)
    rounded(lm)
    assert facts.validation_loss == pytest.approx(loss_of(lm))
    assert trained < loss_of(lm) <= base
    assert "model.export_dtype=float32" in caplog.text


def test_weights_that_are_bf16_lose_nothing(
    config: TrainConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lm = load_model(config.model, 0)
    learned(lm, rate=1e-3)
    rounded(lm)
    facts = measured(config, lm, tmp_path, torch.bfloat16)
    assert facts.validation_loss == pytest.approx(loss_of(lm))
    assert facts.base_loss is None
    assert not caplog.records


def test_float32_exports_all_that_was_learned(config: TrainConfig, tmp_path: Path) -> None:
    """Adapters too, whose base may be held in bf16 while they are trained."""
    lora = Lora(rank=2, alpha=4, dropout=0, targets="all-linear")
    config = config.model_copy(update={"model": config.model.model_copy(update={"lora": lora})})
    lm = load_model(config.model, 0)
    add_adapters(lm, lora)
    for name, weight in lm.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.01, generator=torch.Generator().manual_seed(0))
    trained = loss_of(lm)
    for weight in lm.parameters():
        weight.data = weight.data if weight.requires_grad else weight.data.bfloat16()  # loses nothing
    arm = Arm(tmp_path / "cw")
    arm.folder.mkdir()
    arm.metrics.write_text(json.dumps({"step": 0, "validation/loss": trained}) + "\n")
    tokenizer = load_tokenizer(config.model)
    settings = make_generation_config(lm, tokenizer, ())
    export(lm, lm.state_dict(), lora, tokenizer, settings, arm.model, torch.float32)
    facts = measure_export(config, arm, torch.float32, VALIDATION, PLAN, is_changed=True)
    assert facts.validation_loss == pytest.approx(trained, rel=1e-6)
    assert facts.dtype == "float32"


def test_without_a_validation_set_only_the_dtype_is_known(config: TrainConfig, tmp_path: Path) -> None:
    facts = measured(config, load_model(config.model, 0), tmp_path, torch.bfloat16, validation=[])
    assert facts == ExportFacts(dtype="bfloat16")


def test_split_weights_have_nothing_more_to_export() -> None:
    with pytest.raises(ConfigError, match="adamw_8bit train weights that are bf16"):
        compose_config("optimizer=adamw_8bit", "model.export_dtype=float32")
    compose_config("optimizer=adamw_split", "model.export_dtype=float32", "model/lora=rank16")  # which are merged
