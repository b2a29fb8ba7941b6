"""sweeper=tpe: exit with an error if trials of a hyperparameter search failed."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class FailedTrials(Callback):
    """A Hydra callback that counts failed trials and exits with 1: Optuna's sweeper would exit with 0."""

    def __init__(self) -> None:
        self.ended, self.failed = 0, 0

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Count a trial; exit with 1 if it was the last one and all have failed."""
        self.ended += 1
        self.failed += job_return.status is JobStatus.FAILED
        if self.failed == self.ended == config.hydra.sweeper.n_trials:  # Optuna crashes if it finds no best trial
            self._exit()

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Exit with 1 if any trial failed."""
        if self.failed:
            self._exit()

    def _exit(self) -> NoReturn:
        """Exit with 1, and say how many trials failed."""
        sys.exit(f"{self.failed} of {self.ended} trials failed, as said above; the same command tries them again")
