"""The progress bar of training, as a terminal shows it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.forked import Forked, outside
from tests.small_model import SMALL_MODEL


def test_the_bar_is_one_line_of_80_columns(tmp_path: Path) -> None:
    settings = ("data.ratio=0", "data.creative.size=12", "trainer.global_batch_size=2", "trainer.max_epochs=1")
    small = ("logger=none", "model.max_length=160", *SMALL_MODEL)
    run = Forked("train.py", ["study=s", *settings, *small], tmp_path, outside() | {"COLUMNS": "80"}).wait()
    assert run.returncode == 0, run.stderr
    [bar] = [line for line in run.stdout.splitlines() if line.startswith("Epoch")]
    assert re.fullmatch(r"Epoch 0/0 +━+ 6/6 loss: \d+\.\d\d val: \d+\.\d\d tokens/s: [\d,]+ left: 0 s *", bar)
    assert len(bar) <= 80
