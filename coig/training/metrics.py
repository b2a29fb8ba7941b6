"""Write all logged metrics to `metrics.jsonl`, one JSON object per line, whichever logger is chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning import Callback
from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from coig.errors import DataError
from coig.files.atomic import naming, read_objects, write_atomic


class MetricsFile(Logger):
    """A logger that appends `{"step": …, metric: value, …}` lines; a resumed run continues the same file.

    Lines of steps after the last checkpoint are dropped first, because the resumed run repeats these steps.

    Args:
        anew: whether the run starts from scratch and ignores existing lines, which `Record.begin` deletes.

    Raises DataError if a line of a resumed run is damaged or has no step.
    """

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        super().__init__()
        self.path = path
        self.earlier = list(self._read_lines()) if path.exists() and not anew else []

    def _read_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of an earlier run. Raises DataError for one that is damaged or has no number of a step."""
        for number, line in read_objects(self.path):
            if not isinstance(line.get("step"), int):
                raise DataError(f"{self.path}:{number}: has no step; mend or remove the line")
            yield line

    @property
    def name(self) -> str:
        """Return "metrics"; Lightning asks for a name."""
        return "metrics"

    @property
    def version(self) -> str:
        """Return an empty text; Lightning asks for a version."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Path:
        """Return the path of metrics.jsonl."""
        return self.path

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: config.yaml holds the hyperparameters."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a line of metrics; before this run's first line, drop the lines of this step and later ones."""
        if self.earlier:
            kept = [line for line in self.earlier if line["step"] < (step or 0)]
            write_atomic(self.path, "".join(f"{json.dumps(line)}\n" for line in kept))
            self.earlier = []
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")


class StepFigures(Callback):
    """A callback that logs a step's figures before its checkpoint is saved.

    Lightning's `log` writes after the checkpoint. A kill in between would lose the line, since the step is not
    repeated.
    """

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, step: Any, index: int) -> None:
        """Log the step's figures every `log_every_n_steps` steps and after the last one."""
        number = trainer.global_step
        if number % trainer.log_every_n_steps and number != module.total_steps:
            return
        for logger in trainer.loggers:
            logger.log_metrics(module.figures | {"epoch": trainer.current_epoch}, number - 1)
            logger.save()
