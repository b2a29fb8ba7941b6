"""Plan a GPU's memory: how many tokens a micro-batch has, and how many layers recompute their activations.

This prints the plans of the usual cards, on any machine:

    python train.py model=qwen2.5-7b-instruct trainer=gpu optimizer=adamw_split plan=true
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from coig.config import SPLIT, Constructor, Lora, TrainConfig
from coig.config.loading import construct
from coig.display.numbers import NONE, number
from coig.display.tables import Column, fill_table, text_column
from coig.display.terminal import make_console, print_table
from coig.errors import ConfigError, first_line
from coig.models.loading import load_model_config
from coig.study.manifest import MemoryPlan
from coig.training.footprint import CONTEXT, MemoryCounter, Setup, usable_bytes
from coig.training.trainable import make_trainable

log = logging.getLogger(__name__)
SIZES = (16_384, 8192, 4096)  # tokens of a micro-batch to choose from
RECOMPUTED = 1 / 3  # a layer's forward pass as a share of its forward and backward pass
STARTED = 512  # tokens that could be trained on in the time that starting a micro-batch takes; an estimate
SMALLER = dict(zip(("adamw_split", "adamw_8bit"), SPLIT, strict=True))  # optimizers that need less memory than AdamW
RANK_16 = Lora(rank=16, alpha=32, dropout=0.0, targets="all-linear")
ADAPTERS = {"rank16": RANK_16, "rank16_4bit": RANK_16.model_copy(update={"base_bits": 4})}
# bytes as torch reports them
CARDS = {
    "RTX 4090, 24 GB": 25.3e9,
    "RTX 5090, 32 GB": 33.6e9,
    "A6000, L20, L40S, 48 GB": 47.6e9,
    "A100, A800, H100, H800, 80 GB": 85.0e9,
    "H20, GH200, 96 GB": 102e9,
    "H200, 141 GB": 150e9,
    "B200, 180 GB": 191e9,
    "B300, 288 GB": 287e9,
}


@dataclass(frozen=True)
class Layout:
    """A way to lay out training steps, and the bytes that it is expected to take of each GPU."""

    tokens: int  # of a micro-batch
    recomputed: int  # layers that compute their activations twice
    layers: int
    expected: float

    @property
    def time(self) -> float:
        """Return the estimated training time; 1 is the time without recomputation, in endless micro-batches."""
        return (1 + RECOMPUTED * self.recomputed / self.layers) * (1 + STARTED / self.tokens)

    def describe(self) -> str:
        """Return the layout in words."""
        return f"micro-batches of {self.tokens:,} tokens, {self.recomputed} of {self.layers} layers recomputed"


def plan_memory(config: TrainConfig, longest: int, earlier: MemoryPlan | None) -> MemoryPlan:
    """Return how the steps of an arm are laid out, and log in one line what is expected of a GPU's memory.

    A resumed arm keeps its layout if that still fits. Nothing is planned if the config gives both numbers, as it must
    on a CPU.

    Args:
        longest: tokens of the longest example.
        earlier: the plan of the run that is resumed; None for a new one.

    Raises ConfigError if no layout fits into the GPU's free memory.
    """
    tokens, recomputed = config.trainer.tokens_per_micro_batch, config.trainer.activation_checkpointing
    if tokens != "auto" and recomputed != "auto":
        return MemoryPlan(tokens_per_micro_batch=tokens, recomputed_layers=recomputed)
    free, _ = torch.cuda.mem_get_info()
    architecture = load_model_config(config.model)
    layouts = list_layouts(config, architecture, longest)
    chosen = _choose(config, layouts, free, earlier)
    if chosen is None:
        raise ConfigError(_refusal(config, architecture, longest, layouts, free))
    log.info(
        "memory: %s; expects %.1f GB of the %.1f GB that are free, leaves %.1f GB",
        *(chosen.describe(), chosen.expected / 1e9, free / 1e9, (free - chosen.expected) / 1e9),
    )
    return MemoryPlan(
        tokens_per_micro_batch=chosen.tokens,
        recomputed_layers=chosen.recomputed,
        expected_gb=round(chosen.expected / 1e9, 1),
        free_gb=round(free / 1e9, 1),
    )


def _choose(config: TrainConfig, layouts: Sequence[Layout], free: float, earlier: MemoryPlan | None) -> Layout | None:
    """Return the earlier run's layout if it still fits, or the fastest that fits; None if none fits."""
    usable = usable_bytes(free, config.trainer.ranks)
    if earlier:
        same = (earlier.tokens_per_micro_batch, earlier.recomputed_layers)
        again = next((one for one in layouts if (one.tokens, one.recomputed) == same), None)
        if again and again.expected <= usable:
            return again
        if again:
            log.warning(
                "memory: this arm began with %s, which needs %.1f GB, and %.1f GB are free here; so it goes on with "
                "another layout, and sums may be rounded differently",
                *(again.describe(), again.expected / 1e9, free / 1e9),
            )
    return fastest(layouts, usable)


def fastest(layouts: Sequence[Layout], usable: float) -> Layout | None:
    """Return the fastest layout that takes at most `usable` bytes; None if there is none."""
    return min((one for one in layouts if one.expected <= usable), key=lambda one: one.time, default=None)


def list_layouts(config: TrainConfig, architecture: Any, longest: int, usable: float = math.inf) -> list[Layout]:
    """Return the layouts that the config allows, with the bytes that each is expected to take.

    Raises ConfigError if the model or the optimizer cannot be counted.

    Args:
        architecture: the model's transformers config.
        longest: tokens of the longest example, which a micro-batch holds in any case.
        usable: bytes; if all layouts of one size of micro-batches take more, larger sizes are left out.
    """
    tokens, recomputed = config.trainer.tokens_per_micro_batch, config.trainer.activation_checkpointing
    sizes = sorted({max(size, longest) for size in SIZES}) if tokens == "auto" else [tokens]
    layouts: list[Layout] = []
    with _explain_errors(config):
        counter = MemoryCounter(setup_of(config), architecture)
        least = counter.states
        for size in sizes:
            if least > usable:  # and larger micro-batches take more
                break
            footprint = counter.footprint(max(size, longest))
            least = math.inf
            for count in range(footprint.layers + 1) if recomputed == "auto" else [recomputed]:
                expected = footprint.peak(min(count, footprint.layers))
                least = min(least, expected)
                layouts.append(Layout(size, count, footprint.layers, expected))
    return layouts


@contextmanager
def _explain_errors(config: TrainConfig) -> Iterator[None]:
    """Turn any error of the block, which counts memory, into a ConfigError that says what to set instead."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # models and optimizers raise all kinds of errors
        raise ConfigError(
            f"model={config.model.name}, optimizer={config.optimizer.target}: its memory cannot be planned "
            f"({type(error).__name__}: {first_line(error)}); give trainer.tokens_per_micro_batch and "
            "trainer.activation_checkpointing as numbers"
        ) from error


def setup_of(config: TrainConfig) -> Setup:
    """Return what the memory of an arm's steps depends on; compilation is left out."""
    uncompiled = config.model_copy(update={"trainer": config.trainer.model_copy(update={"compile": False})})
    return Setup(
        prepare=partial(make_trainable, config=uncompiled, recomputed_layers=0),
        optimizer=partial(construct, config.optimizer),
        mixed=config.trainer.precision == "bf16-mixed",
        quantized=config.model.is_quantized,
        sharded=config.trainer.strategy == "fsdp",
        ranks=config.trainer.ranks,
    )


def _refusal(config: TrainConfig, architecture: Any, longest: int, layouts: Sequence[Layout], free: float) -> str:
    """Return the message that no layout fits: the least memory needed, what is free, and the settings that would fit.

    Without such settings it advises a smaller model or a larger card. Raises ConfigError if one cannot be counted.
    """
    least = min(layouts, key=lambda one: one.expected)
    fitting = []
    for override, other in _alternatives(config):
        usable = usable_bytes(free, other.trainer.ranks)
        if layout := fastest(list_layouts(other, architecture, longest, usable), usable):
            fitting.append(f"{override} ({layout.expected / 1e9:.0f} GB)")
    remedy = f"these would fit: {', '.join(fitting)}" if fitting else "take a smaller model or a larger card"
    return (
        f"model={config.model.name}: training needs at least {least.expected / 1e9:.1f} GB of a GPU, with "
        f"{least.describe()}, and {free / 1e9:.1f} GB are free; {remedy}; plan=true shows other cards"
    )


def _alternatives(config: TrainConfig) -> Iterator[tuple[str, TrainConfig]]:
    """Yield overrides that may save memory, as one text, each with the config that they make; layouts are "auto"."""
    auto = {"tokens_per_micro_batch": "auto", "activation_checkpointing": "auto"}
    automatic = config.model_copy(update={"trainer": config.trainer.model_copy(update=auto)})
    if not config.model.lora:
        for name, target in SMALLER.items() if config.trainer.strategy != "ddp" else ():
            yield f"optimizer={name}", automatic.model_copy(update={"optimizer": Constructor(_target_=target)})
    for name, lora in ADAPTERS.items():
        is_smaller = not config.model.lora or (lora.base_bits is not None and not config.model.is_quantized)
        if is_smaller and (lora.base_bits is None or config.trainer.strategy == "auto"):
            model = config.model.model_copy(update={"lora": lora})
            yield f"model/lora={name}", automatic.model_copy(update={"model": model})
    for devices in (2, 4, 8):
        if devices > config.trainer.ranks and not config.model.is_quantized:
            trainer = automatic.trainer.model_copy(update={"strategy": "fsdp", "devices": devices, "num_nodes": 1})
            adamw = Constructor(_target_="torch.optim.AdamW")
            sharded = automatic.model_copy(update={"trainer": trainer, "optimizer": adamw})
            yield f"trainer=fsdp trainer.devices={devices} optimizer=adamw", sharded


def show_plan(config: TrainConfig) -> None:
    """Print for each of CARDS how an arm's steps would be laid out; examples may have `model.max_length` tokens."""
    layouts = list_layouts(config, load_model_config(config.model), config.model.max_length)
    rows = [
        {"card": card, "size": size, "layout": layout_on_card(layouts, size, config.trainer.ranks)}
        for card, size in CARDS.items()
    ]
    least = min(layouts, key=lambda one: one.expected)
    ranks = config.trainer.ranks
    title = (
        f"{config.model.name} with {config.optimizer.target.rpartition('.')[2]}"
        f"{f' on each of {ranks} GPUs' if ranks > 1 else ''}: at least {least.expected / 1e9:.1f} GB, with "
        f"{least.describe()} (counted, not measured)"
    )
    console = make_console()
    console.print(title)
    print_table(console, fill_table(rows, COLUMNS))


def layout_on_card(layouts: Sequence[Layout], size: float, ranks: int) -> Layout | None:
    """Return the fastest layout that fits a card of `size` bytes with nothing else on it; None if none fits."""
    return fastest(layouts, usable_bytes(size - CONTEXT, ranks))


def _of_layout(heading: str, text: Callable[[Layout, float], str]) -> Column:
    """Return a column whose cell is `text(layout, size of the card in bytes)` of its row; a dash if no layout fits."""
    return Column(heading, lambda row: text(row["layout"], row["size"]) if row["layout"] else NONE)


COLUMNS = (
    text_column("card", "card"),
    _of_layout("tokens in a micro-batch", lambda layout, _: f"{layout.tokens:,}"),
    _of_layout("layers recomputed", lambda layout, _: f"{layout.recomputed} of {layout.layers}"),
    _of_layout("expected GB", lambda layout, _: number(layout.expected / 1e9, 1)),
    _of_layout("left GB", lambda layout, size: number((size - layout.expected) / 1e9, 1)),
)
