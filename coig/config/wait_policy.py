"""Choose how OpenMP's threads wait for each other, by the machine's load when a command starts.

By default a thread that has done its part spins until the others have done theirs. That is the fastest on a quiet
machine. Beside other programs it is slow: a spinning thread takes the core that a late one needs. Both ways give the
same results.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)

SET_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
RUNNING = Path("/proc/loadavg")  # of Linux; its fourth field begins with the number of threads that run or want to
LOOKS, PAUSE = 5, 0.01  # number of looks at the machine, and seconds between them

untold = False  # whether `follow_load` has chosen a policy that `tell_policy` has not logged


def follow_load() -> None:
    """Set OMP_WAIT_POLICY so that waiting threads sleep, if other programs keep this machine's cores busy.

    Looks at the load for 0.05 s. Does nothing without /proc/loadavg, if the user has chosen how threads wait, or if
    torch has been imported, because OpenMP reads the environment only once.
    """
    global untold
    if not RUNNING.exists() or "torch" in sys.modules or any(name in os.environ for name in SET_BY_USER):
        return
    cores = len(os.sched_getaffinity(0))
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(chosen) if chosen.isdigit() else cores
    if have_to_share(_look_at_others(), threads, cores):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        untold = True


def tell_policy() -> None:
    """Log, once, that waiting threads sleep, if `follow_load` chose that; called when a model begins to compute."""
    global untold
    if untold:
        untold = False
        log.info("other programs keep the cores busy: threads sleep while they wait for each other (same results)")


def have_to_share(others: Sequence[int], threads: int, cores: int) -> bool:
    """Tell whether threads have to share cores with other programs; a single thread never counts as sharing.

    Args:
        others: how many threads of other programs ran at each look; the smallest number is used.
        threads: how many threads this command computes with.
        cores: how many cores it may use.
    """
    return threads > 1 and min(others) + threads > cores


def _look_at_others() -> list[int]:
    """Return how many threads besides this one run or wait for a core, counted LOOKS times, PAUSE seconds apart."""
    looks = []
    for _ in range(LOOKS):
        looks.append(int(RUNNING.read_text().split()[3].partition("/")[0]) - 1)  # without this one
        time.sleep(PAUSE)
    return looks
