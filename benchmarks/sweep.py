"""Measure a sweep's overhead over training, in one process for all arms and in a shell loop with a process for each.

python -m benchmarks.sweep
python -m benchmarks.sweep --smallest       # a test that it runs

The same arms (ratios × seeds of the sample, 160 tokens, one epoch, W&B offline) are trained in turns by `train.py -m`
and by `for … do train.py …; done`. Training time is that of the steps (`perf/seconds` in metrics.jsonl). The rest is
overhead: the process's start and imports, paid once, and each arm's. Samples of the sweep's call stack show its parts.
The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import CodeType, FrameType
from typing import Any

from hydra.experimental.callback import Callback

from benchmarks.measuring import goal_states, machine, parse_arguments, print_goals, say
from coig.files.atomic import read_jsonl

TRAIN = Path(__file__).parent.parent / "train.py"
RATIOS = ("0", "1k")
SETTINGS = ("study=s", "model.max_length=160", "trainer.max_epochs=1")
CREATIVE, GENERAL = 51, 0.0306  # data.creative.size and data.scale of the whole sample
SMALLEST = {"seeds": 1, "rounds": 1, "scale": 0.2}
GOALS = {"overhead per arm": ("<=", 1.0)}
SAMPLES_A_SECOND = 50
IMPORTS = "imports, once"
# names of a sweep's parts by ((end of a file's name, function or "" for any), name); the outermost call decides
PARTS = (
    (("coig/data/mixture.py", ""), "data"),
    (("coig/data/encoded.py", "encode_mixture"), "data"),
    (("coig/data/tokenizer.py", ""), "tokenizer"),
    (("coig/models/loading.py", "load_model"), "model"),
    (("coig/training/module.py", "__init__"), "optimizer"),
    (("coig/training/run_record.py", "_describe"), "manifest"),
    (("coig/training/loggers.py", ""), "W&B"),
    (("coig/study/tracking.py", ""), "W&B"),
    (("lightning/pytorch/loggers/wandb.py", ""), "W&B"),
    (("coig/training/module.py", "training_step"), "training"),
    (("pytorch/loops/evaluation_loop.py", "run"), "validation"),
    (("coig/training/checkpoints.py", ""), "checkpoint"),
    (("coig/models/export.py", "export"), "export"),
    (("coig/training/run.py", "_free_memory"), "memory freed"),
)


class Clock(Callback):
    """A Hydra callback that writes `clock.json`: when a sweep's first arm began, and the seconds of each of PARTS."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.stacks: defaultdict[tuple[CodeType, ...], float] = defaultdict(float)  # seconds
        self.ended = threading.Event()
        self.main = threading.get_ident()

    def on_job_start(self, config: Any, **_: Any) -> None:
        """Start sampling when the first arm begins."""
        if self.began is None:
            self.began = time.time()
            self.sampler = threading.Thread(target=self._sample)
            self.sampler.start()

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        """Stop sampling and write `clock.json`."""
        self.ended.set()
        self.sampler.join()
        parts: defaultdict[str, float] = defaultdict(float)
        for stack, seconds in self.stacks.items():
            parts[_part(stack)] += seconds
        Path("clock.json").write_text(json.dumps({"began": self.began, "parts": parts}), encoding="utf-8")

    def _sample(self) -> None:
        """Sample the main thread's stack until the sweep ends, and add the time since the last sample to this stack's.

        A call that holds the GIL delays a sample, which then counts for more. The main thread waits for each sample, so
        that stacks are only told apart at the end.
        """
        last = time.perf_counter()
        while not self.ended.wait(1 / SAMPLES_A_SECOND):
            stack, now = tuple(_walk(sys._current_frames()[self.main])), time.perf_counter()
            self.stacks[stack] += now - last
            last = now


def _walk(frame: FrameType | None) -> Iterator[CodeType]:
    """Yield the code of a frame and of those that called it, the innermost first."""
    while frame:
        yield frame.f_code
        frame = frame.f_back


def _part(codes: tuple[CodeType, ...]) -> str:
    """Return the part of the sweep to which a stack belongs: IMPORTS during any import, else by its outermost call."""
    stack = [(code.co_filename, code.co_name) for code in codes]
    if any("importlib._bootstrap" in file for file, _ in stack):
        return IMPORTS
    if not any(name == "run_job" for _, name in stack):
        return "Hydra, between arms"
    found = (
        part
        for file, name in reversed(stack)
        for (ending, function), part in PARTS
        if file.endswith(ending) and function in ("", name)
    )
    return next(found, "rest")


@dataclass(frozen=True)
class Arms:
    """The arms to train: one for each ratio and seed, on a fraction `scale` of the sample."""

    seeds: range
    scale: float

    @property
    def settings(self) -> tuple[str, ...]:
        """Return the overrides that all arms share."""
        return *SETTINGS, f"data.creative.size={round(CREATIVE * self.scale)}", f"data.scale={GENERAL * self.scale}"


@dataclass(frozen=True)
class Run:
    """The times in seconds of one contestant that trained all arms once."""

    wall: float
    training: float
    arms: int
    start: float = 0.0  # of a sweep, until its first arm begins
    parts: dict[str, float] = field(default_factory=dict)  # mean per arm

    @property
    def beside_training(self) -> float:
        """Return the seconds per arm that are not training."""
        return (self.wall - self.training) / self.arms

    @property
    def with_imports(self) -> float:
        """Return the seconds per arm that are neither training nor the process's start; imports count."""
        return self.beside_training - self.start / self.arms

    @property
    def overhead(self) -> float:
        """Return the seconds that each further arm adds besides training; start and imports are paid once."""
        return self.with_imports - self.parts[IMPORTS]


def train_in_one_process(folder: Path, arms: Arms) -> Run:
    """Train all arms in one process, and return its times."""
    overrides = (f"data.ratio={','.join(RATIOS)}", f"seed={','.join(map(str, arms.seeds))}")
    began = time.time()
    wall = _seconds(folder, "-m", *overrides, *arms.settings, "+hydra.callbacks.clock._target_=benchmarks.sweep.Clock")
    clock = json.loads((folder / "clock.json").read_text(encoding="utf-8"))
    count = len(RATIOS) * len(arms.seeds)
    parts = {part: seconds / count for part, seconds in clock["parts"].items()}
    return Run(wall, *_training(folder), start=clock["began"] - began, parts=parts)


def train_in_own_processes(folder: Path, arms: Arms) -> Run:
    """Train each arm in a separate process, one after another, and return the times of all together."""
    each = [(f"data.ratio={ratio}", f"seed={seed}") for ratio in RATIOS for seed in arms.seeds]
    wall = sum(_seconds(folder, *overrides, *arms.settings) for overrides in each)
    return Run(wall, *_training(folder))


def _seconds(folder: Path, *overrides: str) -> float:
    """Run train.py in a folder and return its seconds; if it fails, exit with its output."""
    start = time.perf_counter()
    run = subprocess.run([sys.executable, str(TRAIN), *overrides], cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    return seconds


def _training(folder: Path) -> tuple[float, int]:
    """Return the seconds of all training steps of a folder's arms, and the number of arms."""
    files = list(folder.glob("multirun/s/*/metrics.jsonl"))
    lines = (json.loads(line) for file in files for _, line in read_jsonl(file))
    return sum(line.get("perf/seconds", 0.0) for line in lines), len(files)


CONTESTANTS = {"sweep": train_in_one_process, "loop": train_in_own_processes}


def measure_in_turns(folder: Path, arms: Arms, rounds: int) -> dict[str, list[Run]]:
    """Return the runs of all rounds by contestant."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name, function in CONTESTANTS.items():
            own = folder / f"{name}-{number}"
            own.mkdir()
            runs[name].append(run := function(own, arms))
            say(f"round {number + 1}, {name}: {run.wall:.1f} s, {run.training:.1f} s of them training")
    return runs


def report_of(runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Return the report's figures as JSON types."""
    sweeps = runs["sweep"]
    figures = {
        "overhead per arm": _median(run.overhead for run in sweeps),
        "overhead per arm with its share of the imports": _median(run.with_imports for run in sweeps),
        "loop / sweep": _median(b.wall / a.wall for a, b in zip(sweeps, runs["loop"], strict=True)),
        "loop / sweep beside training": _median(
            b.beside_training / a.beside_training for a, b in zip(sweeps, runs["loop"], strict=True)
        ),
    }
    parts = {part: _median(run.parts.get(part, 0.0) for run in sweeps) for part in sweeps[0].parts}
    return {
        "arms": sweeps[0].arms,
        **figures,
        "contestants": {
            name: {
                "seconds": _median(run.wall for run in rounds),
                "training": _median(run.training for run in rounds),
                "start": _median(run.start for run in rounds),
                "beside training, per arm": _median(run.beside_training for run in rounds),
                "rounds": [round(run.wall, 2) for run in rounds],
            }
            for name, rounds in runs.items()
        },
        "parts of an arm": dict(sorted(parts.items(), key=lambda pair: -pair[1])),
        "goals": goal_states(figures, GOALS),
        **machine(("torch", "lightning", "hydra-core", "wandb")),
    }


def _median(figures: Iterable[float]) -> float:
    """Return the median with three decimals."""
    return round(median(figures), 3)


def print_table(report: dict[str, Any]) -> None:
    """Print both contestants' seconds, those of the sweep's parts per arm, and the goals."""
    print(f"{report['arms']} arms, seconds{'all':>12}{'training':>10}{'the rest, per arm':>20}")
    for name, times in report["contestants"].items():
        print(f"{name:18}{times['seconds']:8.1f}{times['training']:10.1f}{times['beside training, per arm']:20.2f}")
    print(
        f"the loop takes {report['loop / sweep']:.2f} × as long, {report['loop / sweep beside training']:.2f} × beside"
    )
    start = report["contestants"]["sweep"]["start"]
    print(f"\na sweep begins its first arm after {start:.1f} s; an arm's seconds then are, imports shared by all:")
    for part, seconds in report["parts of an arm"].items():
        print(f"  {part:22}{seconds:6.2f}")
    print_goals(report["goals"])


def main() -> None:
    """Run the benchmark and print its report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help=f"seeds for each of the {len(RATIOS)} ratios")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the sample (default: all of it)")
    arguments = parse_arguments(parser, SMALLEST)
    arms = Arms(range(arguments.seeds), arguments.scale)
    if min(arguments.seeds, arguments.rounds) < 1:
        parser.error("--seeds and --rounds are at least 1")
    if not 0.1 <= arguments.scale <= 1:
        parser.error("--scale is 0.1 (a few examples of each kind) to 1")
    os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.environ["COIG_CACHE"] = str(folder / "cache")
        say("filling the cache")
        (folder / "first").mkdir()
        # the last ratio's arm has all the others' examples; also reads the libraries from the disk
        _seconds(folder / "first", f"data.ratio={RATIOS[-1]}", *arms.settings)
        report = {"scale": arguments.scale, **report_of(measure_in_turns(folder, arms, arguments.rounds))}
    print_table(report)
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
