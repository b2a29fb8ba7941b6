"""The planner expects what a training step takes, chooses what fits, and refuses what does not."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM, Qwen2Config

from coig.config import Constructor, TrainConfig
from coig.config.composition import CONF
from coig.config.loading import construct
from coig.errors import ConfigError
from coig.models.loading import load_model_config
from coig.models.quantized import quantize_frozen
from coig.study.manifest import MemoryPlan
from coig.training import footprint, memory
from coig.training.footprint import Footprint, LiveBytes, MemoryCounter, fake_batch, make_fake, make_model
from coig.training.run import train
from coig.training.trainable import make_trainable
from tests.architectures import ARCHITECTURES
from tests.conftest import ROOT
from tests.studies import compose_config


def peak_of_a_step(config: TrainConfig, architecture: Any, tokens: int, recomputed: int) -> int:
    """Pass a micro-batch through the whole model on fake tensors, beside its optimizer's state; return the peak."""
    model = make_model(memory.setup_of(config), architecture)
    model.checkpoint_activations(recomputed)
    with FakeTensorMode():
        make_fake(model)
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = construct(config.optimizer, trained)
        for weight in trained:
            weight.grad = torch.zeros(weight.shape, dtype=weight.grad_dtype)
        optimizer.step()
        state = [part for of in optimizer.state.values() for part in of.values() if isinstance(part, torch.Tensor)]
        held = [*model.parameters(), *(weight.grad for weight in trained if weight.grad is not None), *state]
        size, counter, batch = sum(tensor.nbytes for tensor in held), LiveBytes(held), fake_batch(tokens)
        del held  # autograd would copy a gradient that a list refers to
        with counter, torch.autocast("cpu", torch.bfloat16):
            loss, _ = model(batch, 1.0)
            loss.backward()
        return size + int(counter.peak)


# of whole models on fake tensors, in GB; a slow test counts them again
COUNTED = [
    ("qwen2.5-0.5b-instruct", "optimizer=adamw", 16_384, 0, 37.9),
    ("qwen2.5-0.5b-instruct", "optimizer=adamw_8bit", 8192, 12, 12.6),
    ("qwen2.5-1.5b-instruct", "optimizer=adamw", 16_384, 0, 86.0),
    ("qwen2.5-7b-instruct", "model/lora=rank16", 16_384, 0, 128.5),
    ("qwen2.5-7b-instruct", "model/lora=rank16", 8192, 0, 73.0),
    ("qwen2.5-7b-instruct", "model/lora=rank16", 8192, 28, 20.7),
    ("qwen2.5-7b-instruct", "optimizer=adamw_split", 16_384, 0, 216.8),
    ("qwen2.5-7b-instruct", "optimizer=adamw_split", 8192, 0, 164.8),
    ("qwen2.5-7b-instruct", "optimizer=adamw_split", 8192, 14, 139.8),
    ("qwen2.5-7b-instruct", "optimizer=adamw_split", 16_384, 28, 116.7),
    ("qwen2.5-7b-instruct", "optimizer=adamw", 8192, 28, 144.9),  # with the bf16 copies of weights that autocast keeps
]


@cache
def footprint_of(model: str, override: str, tokens: int) -> Footprint:
    setup = memory.setup_of(compose_config(f"model={model}", override, "trainer=gpu"))
    return MemoryCounter(setup, ARCHITECTURES[model]()).footprint(tokens)


@pytest.mark.parametrize(("model", "override", "tokens", "recomputed", "gigabytes"), COUNTED)
def test_the_planner_expects_what_models_of_real_sizes_take(
    model: str, override: str, tokens: int, recomputed: int, gigabytes: float
) -> None:
    expected = footprint_of(model, override, tokens).peak(recomputed)
    assert expected / 1e9 == pytest.approx(gigabytes, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "override", "tokens", "recomputed", "gigabytes"), COUNTED)
def test_models_of_real_sizes_take_what_is_written_here(
    model: str, override: str, tokens: int, recomputed: int, gigabytes: float
) -> None:
    config = compose_config(f"model={model}", override, "trainer=gpu")
    taken = peak_of_a_step(config, ARCHITECTURES[model](), tokens, recomputed)
    assert taken / 1e9 == pytest.approx(gigabytes, rel=0.03)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Return the config of a GPU run of a small model, whose longest example has 16,384 tokens."""
    folder = tmp_path_factory.mktemp("small")
    Qwen2Config(
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=512,
        dtype=torch.bfloat16,
    ).save_pretrained(folder)
    return compose_config(f"model.path={folder}", "trainer=gpu", "model.max_length=16384")


VARIANTS = ("optimizer=adamw", "optimizer=adamw_split", "optimizer=adamw_8bit", "model/lora=rank16")
AT_ONCE = dict(zip(VARIANTS, (0, 3, 6, 0), strict=True))


@pytest.mark.parametrize(
    ("override", "recomputed"),
    [
        pytest.param(override, recomputed, marks=() if AT_ONCE[override] == recomputed else pytest.mark.slow)
        for override in VARIANTS
        for recomputed in (0, 3, 6)
    ],
)
def test_a_step_takes_what_is_expected_of_it(override: str, recomputed: int, small: TrainConfig) -> None:
    config = compose_config(f"model.path={small.model.path}", "trainer=gpu", override)
    architecture = load_model_config(config.model)
    expected = MemoryCounter(memory.setup_of(config), architecture).footprint(4096).peak(recomputed)
    assert expected == pytest.approx(peak_of_a_step(config, architecture, 4096, recomputed), rel=0.05)


def test_a_base_in_4_bits_takes_what_is_expected_of_it(small: TrainConfig) -> None:
    config = compose_config(f"model.path={small.model.path}", "trainer=gpu", "model/lora=rank16_4bit")
    architecture = load_model_config(config.model)
    expected = MemoryCounter(memory.setup_of(config), architecture).states
    lm = AutoModelForCausalLM.from_config(architecture, dtype=torch.float32)
    lm.published_dtype = torch.bfloat16
    make_trainable(lm, config, 0)
    quantize_frozen(lm, torch.bfloat16)
    weights = list(lm.parameters())
    stored = [w.quant_state.as_dict() for w in weights if hasattr(w, "quant_state")]
    scales = [scale for names in stored for name, scale in names.items() if name in ("absmax", "nested_absmax")]
    adapters = sum(weight.numel() for weight in weights if weight.requires_grad)
    taken = sum(tensor.nbytes for tensor in (*weights, *scales)) + 12 * adapters  # gradients and moments
    assert stored
    assert expected == pytest.approx(taken, rel=0.001)


def plan_with(free: float, config: TrainConfig, monkeypatch: pytest.MonkeyPatch, **facts: Any) -> MemoryPlan:
    """Plan on a GPU with so many bytes free."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (int(free), int(free)))
    return memory.plan_memory(config, 16_384, MemoryPlan(**facts) if facts else None)


def test_layers_are_recomputed_as_memory_gets_scarce(small: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = memory.list_layouts(small, load_model_config(small.model), 16_384)
    assert [layout.recomputed for layout in layouts] == list(range(7))
    expected = [layout.expected for layout in layouts]
    assert expected == sorted(expected, reverse=True)
    for layout in (layouts[0], layouts[4]):
        free = layout.expected / footprint.PLANNED + footprint.WORKSPACES + 1
        plan = plan_with(free, small, monkeypatch)
        assert (plan.tokens_per_micro_batch, plan.recomputed_layers) == (16_384, layout.recomputed)
        assert plan.expected_gb == round(layout.expected / 1e9, 1)
    with pytest.raises(ConfigError, match=r"training needs at least .* these would fit: .*model/lora=rank16"):
        plan_with(layouts[6].expected / footprint.PLANNED + footprint.WORKSPACES - 1, small, monkeypatch)


def test_what_is_too_large_is_not_counted(small: TrainConfig) -> None:
    """Longer micro-batches take more, so that the first which does not fit is the last to be counted."""
    architecture = load_model_config(small.model)
    layouts = memory.list_layouts(small, architecture, 2048)
    assert [layout.tokens for layout in layouts] == [size for size in (4096, 8192, 16_384) for _ in range(7)]
    least = [min(layout.expected for layout in layouts if layout.tokens == size) for size in (4096, 8192, 16_384)]
    for usable, counted in ((1e6, 0), (least[0], 14), (1e12, 21)):
        fewer = memory.list_layouts(small, architecture, 2048, usable)
        assert fewer == layouts[:counted]
        assert memory.fastest(fewer, usable) == memory.fastest(layouts, usable)


def test_a_resumed_arm_keeps_its_plan_or_says_why_not(
    small: TrainConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="coig")
    earlier = {"tokens_per_micro_batch": 16_384, "recomputed_layers": 2}
    assert plan_with(100e9, small, monkeypatch).recomputed_layers == 0
    assert plan_with(100e9, small, monkeypatch, **earlier).recomputed_layers == 2
    assert "began with" not in caplog.text
    assert plan_with(1.9e9, small, monkeypatch, **earlier).recomputed_layers > 2
    assert "this arm began with micro-batches of 16,384 tokens, 2 of 6 layers recomputed, which needs" in caplog.text


def test_numbers_of_the_config_are_taken_as_they_are() -> None:
    plan = memory.plan_memory(compose_config(), 1000, None)  # as of a CPU
    assert plan == MemoryPlan(tokens_per_micro_batch=4096, recomputed_layers=0)


@pytest.mark.parametrize("override", ["trainer.tokens_per_micro_batch=0", "trainer.activation_checkpointing=many"])
def test_what_is_neither_a_number_nor_auto_is_refused_in_one_line(override: str) -> None:
    with pytest.raises(ConfigError, match=r"a problem:\n  - trainer\.\w+=.*: give a whole number of at least [01], or"):
        compose_config(override)


def test_a_cpu_cannot_be_planned() -> None:
    with pytest.raises(ConfigError, match="tokens_per_micro_batch=auto plans a GPU's memory; on a CPU give a number"):
        compose_config("trainer.tokens_per_micro_batch=auto")


def test_cuda_extends_its_segments_unless_the_user_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    config = compose_config("trainer=fsdp", "trainer.devices=99")
    for given, expected in (("", "expandable_segments:True"), ("backend:native", "backend:native")):
        monkeypatch.setenv("PYTORCH_ALLOC_CONF", given)
        if not given:
            monkeypatch.delenv("PYTORCH_ALLOC_CONF")
        with pytest.raises(ConfigError, match=r"trainer\.devices=99: this machine has"):
            train(config)
        assert os.environ["PYTORCH_ALLOC_CONF"] == expected


def test_an_optimizer_that_cannot_be_counted_is_named(small: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small.model_copy(update={"optimizer": Constructor(_target_="torch.optim.LBFGS")})
    with pytest.raises(ConfigError, match=r"LBFGS: its memory cannot be planned .*; give trainer\.tokens_per_micro"):
        plan_with(100e9, config, monkeypatch)


# --- commands of the pages and configs


def gpu_commands() -> Iterator[tuple[str, str, float]]:
    """Yield file, command and the GB of the card that is named before it, for each command that trains on GPUs."""
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(CONF.rglob("*.yaml"))]:
        text = re.sub(r" \\\n#?\s*", " ", file.read_text(encoding="utf-8"))
        for found in re.finditer(r"^(?:# )?(python train\.py .*trainer=(?:gpu|fsdp).*)$", text, re.MULTILINE):
            named = re.findall(r"(\d+) GB", text[: found.start()].rpartition("\n```\n")[2][-400:])
            yield file.name, found[1], float(named[-1]) if named else 0.0


@cache
def layouts_of(*overrides: str) -> list[memory.Layout]:
    """Return the layouts of micro-batches that hold one example of the greatest length."""
    config = compose_config(*overrides, "trainer.tokens_per_micro_batch=8192")
    return memory.list_layouts(config, ARCHITECTURES[config.model.name](), config.model.max_length)


def test_gpu_commands_fit_the_card_that_they_name() -> None:
    commands = list(gpu_commands())
    assert len(commands) > 10
    for file, command, gigabytes in commands:
        assert gigabytes, f"{file}: {command}: names no card"
        words = [word for word in shlex.split(command) if re.match(r"(model(/lora)?|optimizer|trainer[.\w]*)=", word)]
        card = min(size for size in memory.CARDS.values() if size >= 1e9 * gigabytes)
        models = [word for word in words if word.startswith("model=")]  # without one it is the tiny model
        for model in models[0].removeprefix("model=").split(",") if models else ():
            chosen = [f"model={model}", *(word for word in words if word not in models)]
            ranks = compose_config(*chosen).trainer.ranks
            layout = memory.layout_on_card(layouts_of(*chosen), card, ranks)
            assert layout, f"{file}: {command}: does not fit {gigabytes} GB"
