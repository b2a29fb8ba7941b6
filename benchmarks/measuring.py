"""Helpers of all benchmarks: fresh processes, time and memory, ratios between contestants, goals."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

Result = TypeVar("Result")
TOKENIZER = Path("../shared/tokenizers/qwen2.5")
CORPUS = Path("../shared/corpus")


@dataclass(frozen=True)
class Measured:
    """One measurement of a contestant; `tokens` counts those of all examples."""

    seconds: float
    peak_gb: float
    worker_peak_gb: float  # of the largest child process
    examples: int
    tokens: int
    parts: dict[str, float]  # seconds of each part of the work


def parse_arguments(parser: ArgumentParser, smallest: Mapping[str, Any]) -> Namespace:
    """Parse the command line, with the option `--smallest` added to `parser`.

    `--smallest` makes the values of `smallest` the defaults; other options still override them.
    """
    parser.add_argument("--smallest", action="store_true", help="test that everything runs; figures are meaningless")
    if parser.parse_known_args()[0].smallest:
        parser.set_defaults(**smallest)
        say("the smallest run: its figures and goals are meaningless")
    return parser.parse_args()


def missing_trl() -> str | None:
    """Return why TRL cannot be measured, or None if it is installed."""
    return None if importlib.util.find_spec("trl") else "trl is not installed: pip install -e '.[benchmarks]'"


def run_in_own_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a fresh process and return its result.

    The calling process should use little memory: on Linux a child's peak memory starts at its parent's.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peaks_gb() -> tuple[float, float]:
    """Return the peak memory in GB (10⁹ bytes) of this process and of its largest ended child, with mapped files."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    this, child = (resource.getrusage(one).ru_maxrss * unit / 1e9 for one in who)
    return this, child


def ratio(measured: dict[str, list[Measured]], over: str, under: str) -> float:
    """Return how many times as many seconds `over` takes as `under`: the median of each round's ratio.

    Ratios are taken within rounds because a machine's speed drifts between them.
    """
    pairs = zip(measured[over], measured[under], strict=True)
    return round(median(one.seconds / other.seconds for one, other in pairs), 3)


def summary(rounds: list[Measured]) -> dict[str, Any]:
    """Return a summary of a contestant's rounds, as JSON types: medians of seconds, maxima of memory, the first counts.

    Parts are left out if there are none.
    """
    parts = {part: round(median(one.parts[part] for one in rounds), 3) for part in rounds[0].parts}
    return {
        "seconds": round(median(one.seconds for one in rounds), 3),
        "rounds": [round(one.seconds, 3) for one in rounds],
        "peak_gb": round(max(one.peak_gb for one in rounds), 3),
        "worker_peak_gb": round(max(one.worker_peak_gb for one in rounds), 3),
        "examples": rounds[0].examples,
        "tokens": rounds[0].tokens,
        **({"parts": parts} if parts else {}),
    }


def goal_states(figures: Mapping[str, float], goals: Mapping[str, tuple[str, float]]) -> dict[str, Any]:
    """Return {value, bound, met} by name for each goal whose figure is among `figures`; others are left out.

    Args:
        goals: a comparison (`<=` or `>=`) and a bound, by the figure's name.
    """
    states = {}
    for goal, (sign, bound) in goals.items():
        if goal in figures:
            met = figures[goal] <= bound if sign == "<=" else figures[goal] >= bound
            states[goal] = {"value": figures[goal], "bound": f"{sign} {bound}", "met": met}
    return states


def print_goals(states: Mapping[str, Any]) -> None:
    """Print a line for each of `goal_states`."""
    for goal, state in states.items():
        print(f"{goal}: {state['value']:.2f}, to be {state['bound']}: {'met' if state['met'] else 'NOT met'}")


def machine(libraries: Iterable[str]) -> dict[str, Any]:
    """Return the versions of libraries and Python, and the number of CPUs."""
    return {
        "versions": {name: version(name) for name in libraries} | {"python": platform.python_version()},
        "cpu_count": os.cpu_count(),
    }


def missing_inputs(tokenizer: Path, corpus: Path) -> list[str]:
    """Return a message for each missing input file that says how to provide it."""
    missing = []
    if not (tokenizer / "tokenizer_config.json").is_file():
        missing.append(f"--tokenizer {tokenizer}: no tokenizer there; give the folder of Qwen2.5's")
    for file in (corpus / "zh.jsonl", corpus / "en.jsonl"):
        if not file.is_file():
            missing.append(f"--corpus: {file} is missing; give a folder with zh.jsonl and en.jsonl of {{id, text, …}}")
    return missing


def say(text: str) -> None:
    """Print progress to stderr; results go to stdout."""
    print(text, file=sys.stderr, flush=True)
