"""Measure how fast one GPU trains Qwen2.5-7B with different settings: tokens per second, MFU and memory.

python -m benchmarks.gpu                    # needs a GPU of 141 GB; takes about ten minutes
python -m benchmarks.gpu --plan             # checks on any machine that every variant fits such a GPU
python -m benchmarks.gpu --rehearse         # a tiny model on the CPU, to test that every variant runs
python -m benchmarks.gpu --smallest         # the same with one step each, and nothing compiled

The model has random weights. A step has 32 documents and uses coig's packing, loss and optimizers. Variants take turns,
the most valuable first, each in a fresh process; a rehearsal runs them all in one. A variant's figures are printed as
soon as they are measured, beside the memory that the planner expects. A variant for a smaller card may take no more
memory than that card has. MFU is relative to a matrix product measured in the same run, and to the data sheet's peak.
The last line of stdout is one JSON object. All this needs torch, transformers and numpy only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.lengths import GENERAL
from benchmarks.measuring import (
    Result,
    goal_states,
    machine,
    parse_arguments,
    peaks_gb,
    print_goals,
    run_in_own_process,
)

SEED = 0
EXAMPLES = 32
MAX_LENGTH = 8192
TOKENS_PER_CHARACTER = 0.6  # of Qwen2.5's tokenizer on Chinese
SUPERVISED = 0.9  # share of a document's tokens; the prompt is not supervised
QWEN2_7B = {
    "vocab_size": 152_064,
    "hidden_size": 3584,
    "intermediate_size": 18_944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "rope_theta": 1e6,
    "tie_word_embeddings": False,
}
REHEARSED = QWEN2_7B | {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
SHORTER = 256  # times, in a rehearsal, are documents and micro-batches
GOALS = {"tokens/s at 2k documents": (">=", 12_500.0)}
SMALLEST = {"rehearse": True, "steps": 1}
H200, H100 = 150e9, 85e9  # bytes of cards
LIBRARIES = ("torch", "transformers")


@dataclass(frozen=True)
class Variant:
    """Settings to measure; users can set all of them but the attention, the rows of a chunk and the card."""

    documents: str = "2k"  # lengths: 2k or 8k tokens each, or the paper's distribution
    tokens_per_micro_batch: int = 4096
    checkpointed_layers: int = 0
    chunk_rows: int = 2048
    attention: str = "varlen"  # or another of coig.models.attention.PATHS, or a kernel for varlen: FA3, FA4
    compiled: bool = False
    optimizer: str = "adamw_split"  # or adamw_8bit
    card: float = H200  # bytes of the smallest card that it is for


BASE = Variant()
HALF = replace(BASE, checkpointed_layers=14, tokens_per_micro_batch=8192)
TWICE = replace(BASE, checkpointed_layers=28, tokens_per_micro_batch=16_384)
VARIANTS = {  # the most valuable first
    "2k documents": BASE,
    "adamw_8bit on 80 GB": replace(TWICE, checkpointed_layers=26, optimizer="adamw_8bit", card=H100),
    "half the layers twice, 8k": HALF,
    "all layers twice, 16k": TWICE,
    "compiled layers": replace(BASE, compiled=True),
    "attention: FA3": replace(BASE, attention="FA3"),
    "attention: FA4": replace(BASE, attention="FA4"),
    "attention: flash-attn": replace(BASE, attention="flash"),
    "paper's lengths": replace(HALF, documents="paper"),
    "8k documents": replace(HALF, documents="8k"),
    "attention: by document": replace(BASE, attention="documents"),
    "all layers twice, chunks of 1k": replace(TWICE, chunk_rows=1024),
    "all layers twice, chunks of 4k": replace(TWICE, chunk_rows=4096),
}


@dataclass(frozen=True)
class Outcome:
    """The figures that one process measured."""

    tokens_per_second: float
    seconds_per_step: float
    optimizer_seconds: float  # part of seconds_per_step
    flops_per_second: float
    peak_gb: float


def measure(variant: Variant, steps: int, rehearse: bool) -> Outcome:
    """Train one step to warm up, then `steps` timed ones, and return their figures."""
    import torch

    from coig.data.steps import Step, Stepper
    from coig.models.flops import TrainingFlops

    device = torch.device("cpu" if rehearse else "cuda")
    if not rehearse:
        share = variant.card / torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, share))
    model = _model(variant, device, REHEARSED if rehearse else QWEN2_7B)
    optimizer = _optimizer(variant)(list(model.parameters()))
    flops = TrainingFlops(model.lm)
    examples = _examples(variant.documents, rehearse)
    step = Stepper(variant.tokens_per_micro_batch // (SHORTER if rehearse else 1), flops.attention_cost).step(examples)
    on_device = [
        batch._replace(**{n: t.to(device) for n, t in batch._asdict().items() if hasattr(t, "to")})
        for batch in step.micro_batches
    ]

    def seconds() -> float:
        """Return the time in seconds once the device has finished its work."""
        if device.type == "cuda":
            torch.cuda.synchronize()
        return perf_counter()

    def train(step: Step) -> tuple[float, float]:
        """Take one optimizer step; return the seconds of its passes and of its update."""
        start = seconds()
        for batch in on_device:
            with torch.autocast(device.type, torch.bfloat16):  # as in training
                loss, _ = model(batch, 1 / step.total_weight)
                loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        middle = seconds()
        optimizer.step()
        optimizer.zero_grad()
        return middle - start, seconds() - middle

    train(step)
    passes, updates = zip(*(train(step) for _ in range(steps)), strict=True)
    took = median(map(sum, zip(passes, updates, strict=True)))
    work = flops.of(step.lengths, sum(step.group_tokens))
    peak_gb = peaks_gb()[0] if rehearse else torch.cuda.max_memory_allocated() / 1e9
    return Outcome(sum(step.lengths) / took, took, median(updates), work / took, peak_gb)


def _optimizer(variant: Variant) -> Callable[[list[Any]], Any]:
    """Return what builds the variant's optimizer of a list of parameters."""
    from coig.training.eight_bit import SplitAdamW8bit
    from coig.training.optimizers import SplitAdamW

    return partial(SplitAdamW8bit if variant.optimizer == "adamw_8bit" else SplitAdamW, lr=1e-6)


def _model(variant: Variant, device: Any, architecture: dict[str, Any]) -> Any:
    """Return a CausalLM with random bf16 weights, created on the device, with the variant's settings.

    Raises ImportError if the variant's attention kernel is not installed.
    """
    import torch
    from transformers import AttentionInterface, Qwen2Config, Qwen2ForCausalLM

    from coig.models.attention import PACKED, packed_attention
    from coig.models.causal_lm import CausalLM

    path = variant.attention
    if path in ("FA3", "FA4"):
        torch.nn.attention.activate_flash_attention_impl(path)
        path = "varlen"
    AttentionInterface.register(PACKED, partial(packed_attention, path=path))
    config = Qwen2Config(**architecture, attn_implementation=PACKED, dtype=torch.bfloat16)
    torch.manual_seed(0)
    with device:
        lm = Qwen2ForCausalLM._from_config(config, dtype=torch.bfloat16).train()
    model = CausalLM(lm, variant.chunk_rows)
    model.checkpoint_activations(variant.checkpointed_layers)
    if variant.compiled:
        model.compile_layers()
    return model


def _examples(documents: str, rehearse: bool) -> list[Any]:
    """Return examples of random token ids, whose first tenth is the prompt."""
    from coig.data.tokens import Encoded

    rng = np.random.default_rng(SEED)
    scale = SHORTER if rehearse else 1
    if documents == "paper":
        fields = zip(*(field.draw(EXAMPLES, rng) for field in GENERAL.values()), strict=True)
        lengths = [min(MAX_LENGTH, round(sum(sizes) * TOKENS_PER_CHARACTER)) for sizes in fields]
    else:
        lengths = [{"2k": 2048, "8k": 8192}[documents]] * EXAMPLES
    examples = []
    for length in (max(8, length // scale) for length in lengths):
        supervised = round(length * SUPERVISED)
        ids = rng.integers(0, 512, length).astype(np.int32)
        examples.append(Encoded("", "general", "zh", ids, (length - supervised, 0, supervised), (0.0, 1.0, 1.0)))
    return examples


def ceiling(rehearse: bool) -> dict[str, Any]:
    """Return {device, matmul_flops, peak_flops}: the device's name, and two figures of bf16 FLOP/s.

    `matmul_flops` is that of a large matrix product, measured now; `peak_flops` the data sheet's, None if unknown.
    """
    import torch

    from coig.models.flops import peak_flops

    device, size = (torch.device("cpu"), 512) if rehearse else (torch.device("cuda"), 8192)
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    rounds = []
    for _ in range(5):
        start = perf_counter()
        for _ in range(20):
            product = left @ right
        float(product[0, 0])  # waits for the device
        rounds.append(20 * 2 * size**3 / (perf_counter() - start))
    name = "cpu" if rehearse else torch.cuda.get_device_name(device)
    return {"device": name, "matmul_flops": max(rounds), "peak_flops": peak_flops(device)}


def report_of(
    outcomes: dict[str, list[Outcome]],
    failures: dict[str, str],
    measured: dict[str, Any],
    expected: dict[str, float],
    rehearse: bool,
) -> dict[str, Any]:
    """Return the report's figures as JSON types."""
    rows = {}
    for name, rounds in outcomes.items():
        middle = sorted(rounds, key=lambda one: one.tokens_per_second)[len(rounds) // 2]
        row = {key: round(value, 3) for key, value in asdict(middle).items() if key != "flops_per_second"}
        mfu = {"mfu_of_matmul": round(middle.flops_per_second / measured["matmul_flops"], 4)}
        if measured["peak_flops"]:
            mfu["mfu_of_peak"] = round(middle.flops_per_second / measured["peak_flops"], 4)
        if name in expected:
            mfu["expected_gb"] = round(expected[name] / 1e9, 1)
        rows[name] = row | mfu | {"rounds": [round(one.tokens_per_second) for one in rounds]}
    base = rows.get("2k documents")
    figures = {"tokens/s at 2k documents": base["tokens_per_second"]} if base and not rehearse else {}
    return {
        "benchmark": "gpu",
        "model": REHEARSED if rehearse else QWEN2_7B,
        **measured,
        "variants": {name: asdict(variant) for name, variant in VARIANTS.items()},
        "outcomes": rows,
        "does_not_run_here": failures,
        "goals": goal_states(figures, GOALS),
        **machine(LIBRARIES),
    }


def print_head(measured: dict[str, Any]) -> None:
    """Print the device, the speed of its matrix product, and the headings of the variants' figures."""
    print(f"{measured['device']}: matmul {measured['matmul_flops'] / 1e12:.1f} TFLOP/s in bf16")
    print(f"{'':32}{'tokens/s':>10}{'s/step':>9}{'update s':>10}{'MFU':>8}{'peak GB':>9}{'expected':>10}", flush=True)


def print_row(name: str, outcome: Outcome, measured: dict[str, Any], expected: float | None) -> None:
    """Print a variant's speed, MFU and memory, beside the bytes that the planner expects."""
    times = f"{outcome.tokens_per_second:10.0f}{outcome.seconds_per_step:9.2f}{outcome.optimizer_seconds:10.2f}"
    mfu = outcome.flops_per_second / measured["matmul_flops"]
    planned = f"{expected / 1e9:10.1f}" if expected else ""
    print(f"{name:32}{times}{mfu:8.1%}{outcome.peak_gb:9.1f}{planned}", flush=True)


def measure_in_turns(
    arguments: argparse.Namespace, measured: dict[str, Any], expected: dict[str, float]
) -> tuple[dict[str, list[Outcome]], dict[str, str]]:
    """Print and return the outcomes of all rounds by variant, and for variants that failed the error.

    Args:
        measured: see `ceiling`.
        expected: see `plan`; may be empty.
    """
    outcomes: dict[str, list[Outcome]] = {}
    failures: dict[str, str] = {}
    compiling_takes_too_long = arguments.smallest  # most of a minute
    for _ in range(arguments.rounds):
        for name, variant in VARIANTS.items():
            if name in failures or (variant.compiled and compiling_takes_too_long):
                continue
            wanted = shrink(variant) if arguments.rehearse else variant
            try:
                outcome = _run(measure, arguments.rehearse, wanted, arguments.steps, arguments.rehearse)
            except Exception as error:
                failures[name] = str(error).partition("\n")[0] or type(error).__name__
                print(f"{name:32}does not run here: {failures[name]}", flush=True)
                continue
            outcomes.setdefault(name, []).append(outcome)
            print_row(name, outcome, measured, expected.get(name))
    return {name: of for name, of in outcomes.items() if name not in failures}, failures


def shrink(variant: Variant) -> Variant:
    """Return the variant changed to run on a CPU with a model of two layers."""
    return replace(variant, attention="documents", checkpointed_layers=min(1, variant.checkpointed_layers))


def _run(function: Callable[..., Result], rehearse: bool, *arguments: Any) -> Result:
    """Call a function in a fresh process; in a rehearsal, in this one, as its speed and memory do not matter."""
    return function(*arguments) if rehearse else run_in_own_process(function, *arguments)


def plan() -> dict[str, float]:
    """Return by variant the bytes of a GPU that the planner expects it to take."""
    from transformers import Qwen2Config

    from coig.models.causal_lm import CausalLM
    from coig.training.footprint import MemoryCounter, Setup

    counted, expected = {}, {}
    for name, variant in VARIANTS.items():
        size, rows = variant.tokens_per_micro_batch, variant.chunk_rows
        key = variant.optimizer, size, rows
        if key not in counted:
            setup = Setup(CausalLM, _optimizer(variant))
            counted[key] = MemoryCounter(setup, Qwen2Config(**QWEN2_7B), rows).footprint(size)
        expected[name] = counted[key].peak(variant.checkpointed_layers)
    return expected


def print_plan(expected: dict[str, float]) -> bool:
    """Print whether each variant fits its card; return whether all do."""
    from coig.training.footprint import CONTEXT, usable_bytes

    fits = []
    for name, variant in VARIANTS.items():
        fits.append(expected[name] <= usable_bytes(variant.card - CONTEXT, ranks=1))
        state = "fits" if fits[-1] else "DOES NOT FIT"
        print(f"{name:32}{expected[name] / 1e9:7.1f} GB, {state} {variant.card / 1e9:.0f} GB", flush=True)
    print(f"{sum(fits)} of {len(fits)} variants fit their cards")
    return all(fits)


def main() -> None:
    """Run the benchmark and print its report.

    With `--plan`, measure nothing: print the plan, and exit with 1 if a variant does not fit its card.
    """
    arguments = _arguments()
    if arguments.plan:
        sys.exit(not print_plan(plan()))
    expected = {} if arguments.rehearse else run_in_own_process(plan)
    measured = _run(ceiling, arguments.rehearse, arguments.rehearse)
    print_head(measured)
    outcomes, failures = measure_in_turns(arguments, measured, expected)
    report = report_of(outcomes, failures, measured, expected, arguments.rehearse)
    print_goals(report["goals"])
    print(json.dumps(report, ensure_ascii=False))


def _arguments() -> argparse.Namespace:
    """Parse the command line; exit with a message if a number is too small or there is no GPU but one is needed."""
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=description)
    parser.add_argument("--rehearse", action="store_true", help="a tiny model on the CPU; its figures are meaningless")
    parser.add_argument("--plan", action="store_true", help="measure nothing; check that every variant fits the GPU")
    parser.add_argument("--steps", type=int, default=3, help="timed optimizer steps, after one that warms up")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parse_arguments(parser, SMALLEST)
    if arguments.steps < 1 or arguments.rounds < 1:
        parser.error("--steps and --rounds are at least 1")
    if not (arguments.rehearse or arguments.plan):
        import torch

        if not torch.cuda.is_available():
            sys.exit("no GPU here: run it where there is one, or give --rehearse for a tiny model on the CPU")
    return arguments


if __name__ == "__main__":
    main()
