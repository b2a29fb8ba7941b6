"""What every benchmark needs: a process per measurement, its time and memory, ratios of turns, goals."""

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
    """One measurement; `tokens` are those of all examples."""

    seconds: float
    peak_gb: float
    worker_peak_gb: float  # of the largest child process
    examples: int
    tokens: int
    parts: dict[str, float]  # what the seconds consist of


def parse_arguments(parser: ArgumentParser, smallest: Mapping[str, Any]) -> Namespace:
    """Parse the command line; with `--smallest` the defaults are these, and options given beside it still count."""
    parser.add_argument("--smallest", action="store_true", help="everything once and tiny: that it runs, not how fast")
    if parser.parse_known_args()[0].smallest:
        parser.set_defaults(**smallest)
        say("the smallest run: its figures mean nothing, nor do the goals beside them")
    return parser.parse_args()


def missing_trl() -> str | None:
    """Say why TRL cannot be measured, if it cannot."""
    return None if importlib.util.find_spec("trl") else "trl is not installed: pip install -e '.[benchmarks]'"


def in_own_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """Run it in a fresh process. This one stays small, for on Linux a child's peak starts at its parent's memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peaks_gb() -> tuple[float, float]:
    """Return the most memory that this process, and any one of its children, ever held; mapped files count."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    own, child = (resource.getrusage(one).ru_maxrss * unit / 1e9 for one in who)
    return own, child


def ratio(measured: dict[str, list[Measured]], over: str, under: str) -> float:
    """Return the median of the rounds' own ratios: a machine's speed drifts from round to round."""
    pairs = zip(measured[over], measured[under], strict=True)
    return round(median(one.seconds / other.seconds for one, other in pairs), 3)


def summary(rounds: list[Measured]) -> dict[str, Any]:
    """Sum up one measurement's rounds: medians of times, maxima of memory."""
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
    """Return the figure, the bound and whether it is met, for every goal that was measured."""
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
    """Tell what the figures were measured on and with."""
    return {
        "versions": {name: version(name) for name in libraries} | {"python": platform.python_version()},
        "cpu_count": os.cpu_count(),
    }


def missing_inputs(tokenizer: Path, corpus: Path) -> list[str]:
    """List what of a benchmark's inputs is missing, and how to mend it."""
    missing = []
    if not (tokenizer / "tokenizer_config.json").is_file():
        missing.append(f"--tokenizer {tokenizer}: no tokenizer there; give the folder of Qwen2.5's")
    for file in (corpus / "zh.jsonl", corpus / "en.jsonl"):
        if not file.is_file():
            missing.append(f"--corpus: {file} is missing; give a folder with zh.jsonl and en.jsonl of {{id, text, …}}")
    return missing


def say(text: str) -> None:
    """Print progress, apart from what a benchmark prints as its result."""
    print(text, file=sys.stderr, flush=True)
