"""Optimizers that fail, for tests of runs that cannot go on; a config names them as its `_target_`."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor


class OutOfMemory(torch.optim.AdamW):
    """An optimizer that fails like the CPU allocator, whose error becomes the cause of ours."""

    def step(self, closure: Any = None) -> Any:
        raise RuntimeError("can't allocate memory")


class OutOfMemoryOnSecondRank(OutOfMemory):
    """The same on the second rank only; the first goes on, and then waits for the second."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure) if os.environ["RANK"] == "1" else torch.optim.AdamW.step(self, closure)


class PeakMemory(torch.optim.AdamW):
    """An optimizer that notes peak memory (kB) in `peak-<rank>` when the model is sharded, and fails."""

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params := list(params), **options)
        if isinstance(params[0], DTensor):
            [peak] = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
            Path(f"peak-{os.environ['RANK']}").write_text(peak)
            raise ValueError("peak noted")


class KilledOnce(torch.optim.AdamW):
    """An optimizer that kills its process at its second step in the first attempt; it counts attempts and steps."""

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, **options)
        with Path("attempts").open("a") as file:
            file.write(".")
        self.steps, self.is_first = 0, Path("attempts").read_text() == "."

    def step(self, closure: Any = None) -> Any:
        self.steps += 1
        with Path("steps").open("a") as file:
            file.write(".")
        if self.is_first and self.steps == 2:
            self.fail()
        return super().step(closure)

    def fail(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class OutOfMemoryOnce(KilledOnce):
    """The same, but it fails like the CPU allocator."""

    def fail(self) -> None:
        raise RuntimeError("can't allocate memory")
