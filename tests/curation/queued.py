"""An executor of datatrove that hands its tasks to a queue and returns, as slurm's does."""

from __future__ import annotations

from datatrove.executor import LocalPipelineExecutor


class Queued(LocalPipelineExecutor):
    """Does no task itself."""

    def run(self) -> None:
        """Return at once."""
