"""Measure how fast coig and TRL's SFTTrainer train on the same examples, and whether their losses agree.

python -m benchmarks.training --peer trl                   # needs pip install -e '.[benchmarks]'
python -m benchmarks.training --peer trl --all-settings    # with all of TRL's settings in SETTINGS
python -m benchmarks.training --busy                       # the demo's training beside a busy process
python -m benchmarks.training --heap                       # the demo's training with freed memory kept or not
python -m benchmarks.training --smallest                   # a test that it runs

Each training runs in a fresh process; contestants take turns. All start from the same weights, and each optimizer step
has the same 32 examples with the same tokens, which is checked. Timed are the optimizer steps after the first, which
warms up, with the loading of their data. On a machine that others use too, wall times of several threads mean little:
then compare the CPU seconds, and measure with OMP_NUM_THREADS=1. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestants import MAX_STEPS, QWEN2, STEP, TRL, Job, Run, Step, prepare, train_with_coig, train_with_trl
from benchmarks.demo import measure_busy, measure_heap, print_demo
from benchmarks.measuring import (
    CORPUS,
    TOKENIZER,
    goal_states,
    machine,
    missing_inputs,
    missing_trl,
    parse_arguments,
    print_goals,
    run_in_own_process,
    say,
)
from benchmarks.synthetic import Files
from coig.errors import ConfigError

MIN_SCALE = 0.05
OURS = "ours"


def _rows(micro_batch: int, **options: Any) -> dict[str, Any]:
    """Return SFTConfig arguments for steps of STEP examples, `micro_batch` of them in a forward pass."""
    return {"per_device_train_batch_size": micro_batch, "gradient_accumulation_steps": STEP // micro_batch, **options}


FAST = {"gradient_checkpointing": False}  # recomputes no activations
PADDING_FREE = {"padding_free": True, "max_length": None}  # the examples are already truncated
EAGER = {"model_init_kwargs": {"attn_implementation": "eager"}}
BALANCED = {"train_sampling_strategy": "batch_rebalance"}
# SFTConfig's options that affect speed; liger and kernels need a GPU, `packed` packs several examples into a row
SETTINGS: dict[str, dict[str, Any]] = {
    "default": _rows(8),
    "1x": _rows(1),
    "4x": _rows(4),
    "32x": _rows(32),
    "8x fast": _rows(8, **FAST),
    "1x fast": _rows(1, **FAST),
    "1x fast eager": _rows(1, **FAST, **EAGER),
    "8x fast balanced": _rows(8, **FAST, **BALANCED),
    "2x fast balanced": _rows(2, **FAST, **BALANCED),
    "8x fast padding-free": _rows(8, **FAST, **PADDING_FREE),
    "2x fast padding-free": _rows(2, **FAST, **PADDING_FREE),
    "8x bf16": _rows(8, bf16=True),
    "1x fast bf16": _rows(1, **FAST, bf16=True),
    "1x fast compiled": _rows(1, **FAST, torch_compile=True),
    "packed": {"packing": True, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8, **FAST},
    "liger": _rows(8, use_liger_kernel=True),
    "kernels": _rows(8, model_init_kwargs={"use_kernels": True}),
}
# the two fastest of SETTINGS on two cores, about equally fast; compiling needs a C++ compiler
BEST = ("1x fast", "1x fast compiled")
LOSS_GAP = 1e-3  # largest difference of first losses; bf16 stays within it too
GOALS = {"ours / default": (">=", 5.0), "ours / best": (">=", 2.0)}
LIBRARIES = ("torch", "lightning", "transformers")
PEER_LIBRARIES = ("accelerate", "trl", "datasets")
SMALLEST = {"steps": 1, "rounds": 1, "scale": MIN_SCALE}


def measure_in_turns(
    job: Job, sizes: list[Step], arguments: argparse.Namespace
) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Return the runs of all rounds by contestant, coig first, and the errors of optional settings that failed.

    Exit if a contestant did not do the same work as coig.
    """
    names = settings_of(arguments)
    turns: dict[str, Callable[[], Run]] = {OURS: partial(train_with_coig, job, sizes)}
    turns |= {name: partial(train_with_trl, job, SETTINGS[name]) for name in names}
    runs: dict[str, list[Run]] = {name: [] for name in turns}
    failures: dict[str, str] = {}
    for number in range(arguments.rounds):
        for name in [name for name in turns if name not in failures]:
            try:
                run = run_in_own_process(turns[name])
            except Exception as error:
                if name in (OURS, "default"):
                    raise
                failures[name] = str(error).partition("\n")[0] or type(error).__name__
                say(f"{name} does not run here: {failures[name]}")
                continue
            runs[name].append(run)
            check_same_work(name, run, sizes, runs[OURS][0])
            say(f"round {number + 1}, {name}: {run.rate('tokens'):.0f} tokens/s")
    return {name: of for name, of in runs.items() if name not in failures}, failures


def settings_of(arguments: argparse.Namespace) -> list[str]:
    """Return the names of TRL's settings to measure."""
    if arguments.peer == "none":
        return []
    if arguments.all_settings:
        return list(SETTINGS)
    return ["1x fast"] if arguments.smallest else ["default", *BEST]


def takes_other_steps(name: str) -> bool:
    """Tell whether a contestant packs examples, so that its steps have other examples than coig's."""
    return "packing" in SETTINGS.get(name, {})


def check_same_work(name: str, run: Run, sizes: list[Step], reference: Run) -> None:
    """Exit with a message if a run's steps have other numbers of tokens than are due, or another first loss than coig.

    Contestants that pack examples are not checked.

    Args:
        sizes: the steps' tokens, from `prepare`.
        reference: a run of coig.
    """
    if takes_other_steps(name):
        return
    for what in ("tokens", "supervised"):
        took, due = ([getattr(step, what) for step in steps] for steps in (run.steps, sizes))
        if took != due:
            sys.exit(f"{name}: steps of {took} {what}, {due} were due: not the same work, no comparison")
    first, ours_first = run.steps[0].loss, reference.steps[0].loss
    if not abs(first - ours_first) <= LOSS_GAP:
        sys.exit(
            f"{name} begins with a loss of {first:.5f}, ours with {ours_first:.5f}: not the same work, no comparison"
        )


def report_of(
    arguments: argparse.Namespace, data: dict[str, Any], runs: dict[str, list[Run]], failures: dict[str, str]
) -> dict[str, Any]:
    """Return the report's figures as JSON types; `parameters` and `threads` are removed from `data`."""
    peers = [name for name in runs if name != OURS]
    ratios = {f"ours / {name}": ratio(runs, name, lambda run: run.seconds) for name in peers}
    cpu_ratios = {f"ours / {name}": ratio(runs, name, lambda run: run.cpu_seconds) for name in peers}
    best = min(peers, key=lambda name: ratios[f"ours / {name}"], default=None)
    if best:
        ratios["ours / best"], cpu_ratios["ours / best"] = (of[f"ours / {best}"] for of in (ratios, cpu_ratios))
    return {
        "benchmark": "training",
        "peer": arguments.peer,
        "scale": arguments.scale,
        "steps": arguments.steps,
        "model": QWEN2 | {"parameters": data.pop("parameters")},
        "data": data,
        "contestants": {name: summary(name, of) for name, of in runs.items()},
        "best": best,
        "ratios": ratios,
        "cpu_ratios": cpu_ratios,
        "goals": goal_states(ratios, GOALS),
        "does_not_run_here": failures,
        "threads": data.pop("threads"),
        "settings": {"trl": TRL, **{name: SETTINGS[name] for name in peers}},
        **machine((*LIBRARIES, *PEER_LIBRARIES) if peers else LIBRARIES),
        "load_before": arguments.load_before,  # with other processes running, ratios mean little
    }


def ratio(runs: dict[str, list[Run]], peer: str, seconds: Callable[[Run], float]) -> float:
    """Return how many times as many tokens per second coig trains on as `peer`: the median of the rounds' ratios.

    Args:
        seconds: gives a run's time, by the wall or by the CPU.
    """
    pairs = zip(runs[OURS], runs[peer], strict=True)
    rates = ((a.sum_timed("tokens") / seconds(a), b.sum_timed("tokens") / seconds(b)) for a, b in pairs)
    return round(median(own / other for own, other in rates), 3)


def summary(name: str, rounds: list[Run]) -> dict[str, Any]:
    """Return a summary of a contestant's rounds, as JSON types: median rates, maximum memory, the first losses."""
    first = rounds[0]
    return {
        "tokens_per_second": round(median(run.rate("tokens") for run in rounds), 1),
        "supervised_tokens_per_second": round(median(run.rate("supervised") for run in rounds), 1),
        "tokens_per_cpu_second": round(median(run.sum_timed("tokens") / run.cpu_seconds for run in rounds), 1),
        "rounds": [round(run.rate("tokens"), 1) for run in rounds],
        "seconds_per_step": round(median(run.seconds for run in rounds) / len(first.steps[1:]), 3),
        "padding": round(1 - first.sum_timed("tokens") / first.sum_timed("positions"), 4),
        "peak_gb": round(max(run.peak_gb for run in rounds), 3),
        "same_steps": not takes_other_steps(name),
        "losses": [round(step.loss, 5) for step in first.steps],
    }


def print_tables(report: dict[str, Any]) -> None:
    """Print speeds and ratios, the loss curves side by side, and the goals."""
    heads = "tokens/s", "supervised/s", "/CPU s", "s/step", "padding", "peak GB", "ours /", "by CPU s"
    print(f"{'':21}" + "".join(f"{head:>{len(head) + 2}}" for head in heads) + "  rounds, tokens/s")
    for name, row in report["contestants"].items():
        over, by_cpu = (report[key].get(f"ours / {name}", 1.0) for key in ("ratios", "cpu_ratios"))
        rates = f"{row['tokens_per_second']:10.0f}{row['supervised_tokens_per_second']:14.0f}"
        rates += f"{row['tokens_per_cpu_second']:8.0f}{row['seconds_per_step']:8.2f}"
        sizes = f"{row['padding']:9.1%}{row['peak_gb']:9.2f}{over:8.2f}{by_cpu:10.2f}"
        rounds = " ".join(f"{rate:.0f}" for rate in row["rounds"])
        others = "" if row["same_steps"] else " (packed rows, not the same steps)"
        print(f"{name:21}{rates}{sizes}  {rounds}{others}")
    for name, reason in report["does_not_run_here"].items():
        print(f"{name:21}does not run here: {reason}")
    print("\nloss of each step, the one that warms up included")
    for name, row in report["contestants"].items():
        print(f"{name:21}" + "".join(f"{loss:9.4f}" for loss in row["losses"]))
    if report["best"]:
        print(f"\nTRL's best of these: {report['best']}")
    print_goals(report["goals"])


def main() -> None:
    """Run the benchmark that the command line asks for, the comparison, `--busy` or `--heap`, and print its report."""
    arguments = _arguments()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if arguments.busy or arguments.heap:
        print_demo(report := measure_busy(arguments) if arguments.busy else measure_heap(arguments))
        print(json.dumps(report))
        return
    _check(arguments)
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        with tempfile.TemporaryDirectory() as folder:
            job = Job(Files(Path(folder).resolve()), str(arguments.tokenizer), arguments.steps + 1, arguments.scale)
            data, sizes = run_in_own_process(prepare, job, arguments.corpus)
            tokens = sum(step.tokens for step in sizes)
            say(f"{job.steps} steps of {STEP} examples, {tokens:,} tokens in all, the first step to warm up")
            runs, failures = measure_in_turns(job, sizes, arguments)
            if arguments.peer == "none":
                failures["TRL"] = missing_trl() or "not wanted"
    except ConfigError as error:
        sys.exit(str(error))
    except BrokenProcessPool:
        sys.exit("a training was killed, most likely for want of memory; try a smaller --scale")
    report = report_of(arguments, data, runs, failures)
    print_tables(report)
    print(json.dumps(report, ensure_ascii=False))


def _arguments() -> argparse.Namespace:
    """Parse the command line, and note the machine's load; exit with a message if a number is out of range."""
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=description)
    parser.add_argument("--peer", choices=["trl", "none"], default="trl")
    parser.add_argument(
        "--all-settings", action="store_true", help="measure all of TRL's settings, not only the default and the best"
    )
    alone = parser.add_mutually_exclusive_group()
    alone.add_argument("--busy", action="store_true", help="measure coig only, beside a busy process")
    alone.add_argument("--heap", action="store_true", help="measure coig only, with freed memory kept or not")
    parser.add_argument("--steps", type=int, help="timed steps, after one that warms up: 4, with --busy or --heap 23")
    parser.add_argument("--rounds", type=int, help="2, with --busy or --heap 5")
    parser.add_argument(
        "--scale", type=float, default=1 / 16, help="length of texts and model.max_length, relative to the paper's"
    )
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder with zh.jsonl and en.jsonl")
    arguments = parse_arguments(parser, SMALLEST | ({"peer": "none"} if missing_trl() else {}))
    steps, rounds = (23, 5) if arguments.busy or arguments.heap else (4, 2)
    arguments.steps = steps if arguments.steps is None else arguments.steps
    arguments.rounds = rounds if arguments.rounds is None else arguments.rounds
    if not 1 <= arguments.steps < MAX_STEPS or arguments.rounds < 1:
        parser.error(f"--steps is 1 to {MAX_STEPS - 1} (there are no more examples), --rounds at least 1")
    if not MIN_SCALE <= arguments.scale <= 1:
        parser.error(f"--scale is {MIN_SCALE} (shorter prompts cannot all differ) to 1 (the paper's lengths)")
    arguments.tokenizer, arguments.corpus = arguments.tokenizer.resolve(), arguments.corpus.resolve()
    arguments.load_before = round(os.getloadavg()[0], 2)
    return arguments


def _check(arguments: argparse.Namespace) -> None:
    """Exit with a message if the tokenizer, the corpus, or TRL where it is wanted, is missing."""
    missing = missing_inputs(arguments.tokenizer, arguments.corpus)
    if arguments.peer != "none" and (reason := missing_trl()):
        missing.append(f"{reason}, or measure with --peer none")
    if missing:
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    main()
