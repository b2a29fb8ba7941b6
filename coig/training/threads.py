"""The number of CPU threads of an arm.

Other numbers of threads give sums that differ in their last digits, and so other weights. The number is therefore kept
when an arm is resumed on a CPU. How the threads wait for each other does not matter to results (`config.wait_policy`).
"""

from __future__ import annotations

import logging

import torch

from coig.config import Trainer
from coig.study.arm import Arm
from coig.training import ranks

log = logging.getLogger(__name__)

AT_START = torch.get_num_threads()  # of this process, before an arm of a sweep changed it


def set_threads(trainer: Trainer, earlier: Arm | None) -> None:
    """Set torch's number of CPU threads to the config's, else the resumed arm's, else the one at this process's start.

    `earlier` is the arm that is resumed, or None. All ranks must call it.
    """
    kept = ranks.first_decides(lambda: _read_threads(trainer, earlier))
    threads = trainer.threads or kept or AT_START
    if threads == kept != AT_START:
        log.info("%d threads as before the arm was stopped, not %d: others would change its results", threads, AT_START)
    torch.set_num_threads(threads)


def _read_threads(trainer: Trainer, earlier: Arm | None) -> int | None:
    """Return the resumed arm's number of threads; None on a GPU, if no arm is resumed, or if it is not recorded."""
    if earlier is None or trainer.accelerator != "cpu":
        return None
    threads: int | None = earlier.manifest().machine.get("torch_threads")
    return threads
