"""Measure the demo's training beside a busy process: with OpenMP's default waiting, and with what a command chooses.

`python -m benchmarks.training --busy` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import goal_states, in_own_process, machine, print_goals, say
from coig.config import TrainConfig
from coig.config.wait_policy import follow_load

POLICY = "OMP_WAIT_POLICY"
DEFAULT, CHOSEN = "default", "chosen"
RATIO = f"busy: {CHOSEN} / {DEFAULT}"
GOALS = {RATIO: (">=", 1.8)}


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
    before = chosen_policy()
    if before:
        say("other programs are running already: this measures more than one busy process")
    runs: dict[str, list[Demo]] = {DEFAULT: [], CHOSEN: []}
    with tempfile.TemporaryDirectory() as folder, busy_process():
        for number in range(arguments.rounds):
            for name, of in runs.items():
                with waiting_by(chosen_policy() if name == CHOSEN else None):
                    of.append(in_own_process(train_demo, folder, arguments.steps + 1))
                say(f"round {number + 1}, {name}: {of[-1].rate:.0f} tokens/s, load {os.getloadavg()[0]:.1f}")
    ratio = median(one.rate / other.rate for one, other in zip(runs[CHOSEN], runs[DEFAULT], strict=True))
    return {
        "benchmark": "training beside a busy process",
        "steps": arguments.steps,
        "policy_alone": before,  # None on a quiet machine: OpenMP's default
        "tokens_per_second": {name: [round(run.rate, 1) for run in of] for name, of in runs.items()},
        "same_losses": len({run.losses for of in runs.values() for run in of}) == 1,
        "goals": goal_states({RATIO: round(ratio, 3)}, GOALS),
        "load_before": arguments.load_before,
        **machine(("torch", "lightning", "transformers")),
    }


def print_busy(report: dict[str, Any]) -> None:
    """Print the speeds, whether the losses are the same, and the goal."""
    for name, rates in report["tokens_per_second"].items():
        print(f"{name:10}{median(rates):8.0f} tokens/s  rounds: {' '.join(f'{rate:.0f}' for rate in rates)}")
    print(f"all runs have the same losses: {'yes' if report['same_losses'] else 'NO'}")
    print_goals(report["goals"])


def chosen_policy() -> str | None:
    """Return the value of OMP_WAIT_POLICY that a command started now would set, None if none; unset the variable."""
    follow_load()
    return os.environ.pop(POLICY, None)


@contextmanager
def waiting_by(policy: str | None) -> Iterator[None]:
    """Let processes that start while the block runs wait by this policy; None: by OpenMP's default."""
    if policy:
        os.environ[POLICY] = policy
    try:
        yield
    finally:
        os.environ.pop(POLICY, None)


@contextmanager
def busy_process() -> Iterator[None]:
    """Keep one core busy while the block runs."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()
