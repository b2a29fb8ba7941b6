"""Give GPUs of its own to each job of a sweep whose jobs run side by side on this machine."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from coig.config.process import ON_THIS_MACHINE, is_swept
from coig.files.lock import LockHeldError, locked

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
GIVEN, ALL = "COIG_CUDA_VISIBLE_DEVICES", "all"  # passes the command's CUDA_VISIBLE_DEVICES on to its jobs
LOCKS = Path(tempfile.gettempdir()) / f"coig-gpus-{os.getuid()}"
POLL = 1  # seconds

taken: list[str] = []  # the GPUs of this process's last job; once started, CUDA sees no others


def note_visible_gpus() -> None:
    """Copy CUDA_VISIBLE_DEVICES, or "all" if it is unset, to COIG_CUDA_VISIBLE_DEVICES for this command's jobs.

    The launcher submitit_local hides all GPUs from its jobs, so they could not learn it otherwise.
    """
    os.environ[GIVEN] = os.environ.get(VISIBLE, ALL)


@contextmanager
def own_gpus(count: int) -> Iterator[None]:
    """Set CUDA_VISIBLE_DEVICES to `count` GPUs that no other job of this user has while the block runs.

    Waits until they are free. The variable stays set afterwards, and this process's next job gets the same GPUs,
    because CUDA reads the variable only once. Does nothing if `count` is 0, if jobs do not run side by side here,
    or if the command sees fewer GPUs.
    """
    global taken
    is_beside_others = is_swept() and HydraConfig.get().launcher._target_.endswith(ON_THIS_MACHINE)
    groups = group_gpus(_gpus_of_command(), count) if count and is_beside_others else []
    if not groups:
        yield
        return
    with first_free([taken] if taken in groups else groups) as taken:
        os.environ[VISIBLE] = ",".join(taken)
        yield


def group_gpus(gpus: Sequence[str], count: int) -> list[list[str]]:
    """Divide GPUs, in their order, into groups of `count`; a remainder is left out."""
    return [list(gpus[first : first + count]) for first in range(0, len(gpus) - count + 1, count)]


@cache  # once CUDA has started, it counts only this job's GPUs
def _gpus_of_command() -> tuple[str, ...]:
    """Return the names of the GPUs in the command's CUDA_VISIBLE_DEVICES, or the numbers of all GPUs if it had none.

    To count all GPUs, deletes this job's own CUDA_VISIBLE_DEVICES.
    """
    if (given := os.environ[GIVEN]) != ALL:
        return tuple(name.strip() for name in given.split(",") if name.strip())
    import torch

    os.environ.pop(VISIBLE, None)
    return tuple(str(number) for number in range(torch.cuda.device_count()))


@contextmanager
def first_free(groups: Sequence[list[str]]) -> Iterator[list[str]]:
    """Wait until a group has no GPU that another job has locked; yield the group, locked while the block runs."""
    LOCKS.mkdir(exist_ok=True)
    with ExitStack() as locks:
        has_told = False
        while not (free := next((group for group in groups if _lock(group, locks)), None)):
            if not has_told:
                log.info("waiting: other jobs have all %d GPUs", sum(map(len, groups)))
                has_told = True
            time.sleep(POLL)
        yield free


def _lock(group: Sequence[str], locks: ExitStack) -> bool:
    """Lock a group's GPUs until `locks` is closed, and return True; if any is locked already, lock none: False."""
    with ExitStack() as own:
        try:
            for gpu in group:
                own.enter_context(locked(LOCKS / gpu.replace("/", "-")))
        except LockHeldError:
            return False
        locks.push(own.pop_all())
    return True
