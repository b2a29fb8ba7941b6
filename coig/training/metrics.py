"""`metrics.jsonl`: everything that was logged, one JSON object per line, beside whichever logger is chosen."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from coig.files.atomic import read_jsonl, write_atomic


class MetricsFile(Logger):
    """Appends `{"step": …, metric: value, …}` lines; a resumed run goes on in the same file.

    Steps that a killed run logged after its last checkpoint are run again, so their old lines are dropped first.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.earlier = [line for _, line in read_jsonl(path)] if path.exists() else []

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Path:
        return self.path

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """config.yaml holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self.earlier:
            kept = [line for line in self.earlier if json.loads(line)["step"] < (step or 0)]
            write_atomic(self.path, "".join(f"{line}\n" for line in kept))
            self.earlier = []
        with self.path.open("a", encoding="utf-8") as file:
            there = {name: value for name, value in metrics.items() if not math.isnan(value)}
            file.write(json.dumps({"step": step, **there}) + "\n")
