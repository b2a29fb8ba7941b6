"""An engine that shows which GPU a job of a sweep sees; a config names it as its `_target_`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coig.config import Sampling
from coig.study.arm import Arm


class Seen:
    """An engine that writes what its job sees to `seen/<arm>`, and waits until two jobs have done so."""

    version = "1"
    not_obeyed: tuple[str, ...] = ()

    def __init__(self, tokens_per_batch: int | None) -> None:
        """Take the argument of engine=hf, whose `_target_` it replaces."""

    def load(self, arm: Arm, tokenizer: Any, sampling: Sampling, seed: int) -> None:
        """Write what the job sees, and wait."""
        seen = Path("seen")
        seen.mkdir(exist_ok=True)
        (seen / arm.name).write_text(f"{os.environ['CUDA_VISIBLE_DEVICES']} {os.environ['OMP_NUM_THREADS']}")
        while len(list(seen.iterdir())) < 2:
            time.sleep(0.01)

    def answers(self, requests: list[Any]) -> Iterator[list[Any]]:
        """Answer nothing."""
        yield from ()
