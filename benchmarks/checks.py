"""Time what protects from secrets, bombs and damage while an arm trains: python -m benchmarks.checks length=fast

Every check is wrapped by a timer wherever coig's modules name it; a check within a check counts once. Reading lines
counts in full, although most of it is reading.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from typing import Any

from lightning import Trainer

from benchmarks.measuring import goal_states, machine, parse_arguments, print_goals, say
from coig.config import TrainConfig, trust
from coig.config.command_line import config_of
from coig.files import atomic, limits, parquet, secrets
from coig.training import checkpoints, fit, state
from coig.training.run import train

CHECKS: dict[Any, tuple[str, ...]] = {  # what holds checks → their names in it
    secrets: ("find_secrets", "remove_secrets", "fold_home"),
    limits: ("read_lines", "read_whole", "check_row", "check_depth", "check_yaml"),
    limits.UnpackedSize: ("__init__", "add"),
    parquet: ("check_parquet",),
    trust: ("check_trusted",),
    atomic: ("sha256_of",),
    state: ("is_sound",),
    checkpoints: ("check_checkpoint",),
}
GOALS = {"seconds at start": ("<=", 0.2), "% of training": ("<=", 1.0)}
DEMO = ["data.ratio=1k"]
SMALLEST = {"overrides": ["length=fast", "data.ratio=1k"]}


class Clock:
    """Seconds in checks by phase (start, training, end) and name, and the seconds of the training itself."""

    def __init__(self) -> None:
        self.phase, self.training = "start", 0.0
        self.seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._is_running = False

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Count the block's seconds, unless it is in another check."""
        if self._is_running:
            yield
            return
        self._is_running, begun = True, time.perf_counter()
        try:
            yield
        finally:
            self._is_running = False
            self.seconds[self.phase][name] += time.perf_counter() - begun

    def count_time_of(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a check that is counted; of a generator each step is."""
        name = function.__qualname__
        if not inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                with self.running(name):
                    return function(*args, **kwargs)

            return call

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:
            steps = function(*args, **kwargs)
            while True:
                with self.running(name):
                    item = next(steps, steps)
                if item is steps:
                    return
                yield item

        return generate

    def watch_training(self) -> None:
        """Let the phase be `training` while Lightning trains, and `end` after it."""
        fit_model = Trainer.fit

        def fit(*args: Any, **kwargs: Any) -> None:
            self.phase, begun = "training", time.perf_counter()
            fit_model(*args, **kwargs)
            self.phase, self.training = "end", time.perf_counter() - begun

        Trainer.fit = fit


def wrap_checks(clock: Clock) -> None:
    """Put a timer around each of CHECKS in every module of coig that is loaded, or will be."""
    modules = [module for name, module in sys.modules.items() if name.startswith("coig")]
    for holder, names in CHECKS.items():
        for name in names:
            check = vars(holder)[name]
            timed = clock.count_time_of(check)
            for place in (holder, *modules):
                if vars(place).get(name) is check:
                    setattr(place, name, timed)


def main() -> None:
    """Train an arm; print the seconds in its checks beside those of its training, and the figures as JSON."""
    parser = ArgumentParser(prog="python -m benchmarks.checks")
    parser.add_argument("overrides", nargs="*", default=DEMO, help="of train.py")
    options = parse_arguments(parser, SMALLEST)
    assert fit  # with all that training needs, loaded before it is wrapped
    os.environ.setdefault("WANDB_MODE", "offline")
    clock = Clock()
    wrap_checks(clock)
    clock.watch_training()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        os.environ["COIG_CACHE"] = f"{folder}/cache"
        train(config_of("train", TrainConfig, ["study=s", *options.overrides]))
    sums = {phase: sum(checks.values()) for phase, checks in clock.seconds.items()}
    say("\n".join(f"{phase}: {json.dumps(checks)}" for phase, checks in clock.seconds.items()))
    figures = {
        "seconds at start": round(sums.get("start", 0.0), 4),
        "% of training": round(100 * (sums.get("training", 0.0) + sums.get("end", 0.0)) / clock.training, 3),
    }
    goals = goal_states(figures, GOALS)
    print_goals(goals)
    about = {"overrides": options.overrides, "training_seconds": round(clock.training, 1), "load": os.getloadavg()[0]}
    print(json.dumps(figures | about | {"goals": goals} | machine(("torch", "lightning"))))


if __name__ == "__main__":
    main()
