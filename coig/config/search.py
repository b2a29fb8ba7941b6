"""sweeper=tpe: how a search ends."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class FailedTrials(Callback):
    """Optuna goes on after a failed trial and ends as if there had been none, but an exit code has to tell."""

    def __init__(self) -> None:
        self.ended, self.failed = 0, 0

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        self.ended += 1
        self.failed += job_return.status is JobStatus.FAILED
        if self.failed == self.ended == config.hydra.sweeper.n_trials:  # it would look for the best of none
            self._tell()

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        if self.failed:
            self._tell()

    def _tell(self) -> NoReturn:
        sys.exit(f"{self.failed} of {self.ended} trials failed, as said above; the same command tries them again")
