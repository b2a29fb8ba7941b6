"""`metrics.jsonl`: everything that was logged, one JSON object per line, beside whichever logger is chosen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lightning import Callback
from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from coig.files.atomic import naming, read_jsonl, write_atomic


class MetricsFile(Logger):
    """Appends `{"step": …, metric: value, …}` lines; a resumed run goes on in the same file.

    Steps that a killed run logged after its last checkpoint are run again, so their old lines are dropped first.

    Args:
        anew: lines that are there belong to a run that this one does not continue.
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        super().__init__()
        self.path = path
        self.earlier = [line for _, line in read_jsonl(path)] if path.exists() and not anew else []

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
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")


class StepFigures(Callback):
    """Log the figures of a step before its checkpoint is saved: Lightning's own `log` would write them after it, and a
    kill in between would lose the line of a step that is not run again."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, step: Any, index: int) -> None:
        number = trainer.global_step
        if number % trainer.log_every_n_steps and number != module.total_steps:
            return
        for logger in trainer.loggers:
            logger.log_metrics(module.figures | {"epoch": trainer.current_epoch}, number - 1)
            logger.save()
