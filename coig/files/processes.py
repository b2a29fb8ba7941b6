"""Tell one process from another that later gets the same id."""

from __future__ import annotations

import os
from pathlib import Path


def start_of(process: int) -> str | None:
    """Return the start time, in kernel ticks, of the process with this id; None if it has ended.

    Without /proc the time of a running process is "unknown".
    """
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return None if state == "Z" else fields[18]  # Z: it has ended, and its parent has not taken note yet
    except (OSError, IndexError, ValueError):
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"  # a system without /proc
