"""Measure the demo's training on a CPU with one thing switched off and on that leaves its results alone.

`python -m benchmarks.training --busy` switches how OpenMP's threads wait, beside a busy process; `--heap` switches
whether freed memory is kept, in huge pages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import goal_states, machine, print_goals, run_in_own_process, say
from coig.config import TrainConfig
from coig.config.wait_policy import follow_load

POLICY = "OMP_WAIT_POLICY"
DEFAULT, CHOSEN = "default", "chosen"
UNTOUCHED = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}  # glibc's default, written out: `keep_freed_memory` obeys it
GOALS = {"busy": 1.8, "heap": 1.0}  # tokens/s, chosen / default


@dataclass(frozen=True)
class Demo:
    """A measured training: tokens per second of the steps after the first, and the loss of every step."""

    rate: float
    losses: tuple[float, ...]


def train_demo(folder: str, steps: int) -> Demo:
    """Train the demo's arm cw+1k for `steps` steps in a new folder below `folder`; return its rate and losses.

    Change to the new folder.
    """
    from coig.config.command_line import config_of
    from coig.training.run import train

    os.chdir(tempfile.mkdtemp(dir=folder))
    settings = ["length=demo", "data.ratio=1k", f"trainer.max_steps={steps}", "logger=none"]
    config = config_of("train", TrainConfig, [*settings, "+trainer.enable_progress_bar=false"])
    train(config)
    lines = Path("multirun", config.study, config.arm, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    taken = [metrics for line in lines if "train/loss" in (metrics := json.loads(line))]
    seconds = sum(step["perf/seconds"] for step in taken[1:])
    tokens = sum(step["perf/seconds"] * step["perf/tokens_per_second"] for step in taken[1:])
    return Demo(tokens / seconds, tuple(step["train/loss"] for step in taken))


def measure_busy(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train with both ways of waiting in turns, beside one busy process; return the report."""
    before = unset_policy()
    if before:
        say("other programs are running already: this measures more than one busy process")
    with busy_process():
        runs = train_in_turns(arguments, {DEFAULT: dict, CHOSEN: unset_policy})
    return {"policy_alone": before, **report_of("busy", runs, arguments)}  # {}: OpenMP's default


def measure_heap(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train with the C library's heap as it is and as coig sets it, in turns; return the report."""
    return report_of("heap", train_in_turns(arguments, {DEFAULT: lambda: UNTOUCHED, CHOSEN: dict}), arguments)


def train_in_turns(
    arguments: argparse.Namespace, ways: Mapping[str, Callable[[], Mapping[str, str]]]
) -> dict[str, list[Demo]]:
    """Train once a round in each way; a way returns the environment variables to set meanwhile."""
    runs: dict[str, list[Demo]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for name, variables in ways.items():
                with environment(variables()):
                    runs[name].append(run_in_own_process(train_demo, folder, arguments.steps + 1))
                say(f"round {number + 1}, {name}: {runs[name][-1].rate:.0f} tokens/s, load {os.getloadavg()[0]:.1f}")
    return runs


def report_of(measured: str, runs: Mapping[str, list[Demo]], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the report of what was measured; the ratio is the median of the rounds' own."""
    ratio = median(one.rate / other.rate for one, other in zip(runs[CHOSEN], runs[DEFAULT], strict=True))
    name = f"{measured}: {CHOSEN} / {DEFAULT}"
    return {
        "benchmark": f"training on a CPU, {measured}",
        "steps": arguments.steps,
        "tokens_per_second": {name: [round(run.rate, 1) for run in of] for name, of in runs.items()},
        "same_losses": len({run.losses for of in runs.values() for run in of}) == 1,
        "goals": goal_states({name: round(ratio, 3)}, {name: (">=", GOALS[measured])}),
        "load_before": arguments.load_before,
        **machine(("torch", "lightning", "transformers")),
    }


def print_demo(report: dict[str, Any]) -> None:
    """Print the speeds, whether the losses are the same, and the goal."""
    for name, rates in report["tokens_per_second"].items():
        print(f"{name:10}{median(rates):8.0f} tokens/s  rounds: {' '.join(f'{rate:.0f}' for rate in rates)}")
    print(f"all runs have the same losses: {'yes' if report['same_losses'] else 'NO'}")
    print_goals(report["goals"])


def unset_policy() -> dict[str, str]:
    """Return OMP_WAIT_POLICY as a command started now would set it, {} if not at all; unset the variable."""
    follow_load()
    policy = os.environ.pop(POLICY, None)
    return {POLICY: policy} if policy else {}


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for processes that start while the block runs; then set back what there was."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def busy_process() -> Iterator[None]:
    """Keep one core busy while the block runs."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()
