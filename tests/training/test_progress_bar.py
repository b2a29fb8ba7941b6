"""The progress bar of training, as a terminal shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.forked import Forked, outside
from tests.small_model import SMALL_MODEL


@pytest.mark.parametrize(
    ("length", "counts"), [(["trainer.max_epochs=1"], "1/1 +━+ 6/6"), (["trainer.max_steps=4"], r"1/\d+ +━+ 4/4")]
)
def test_the_bar_is_one_line_of_80_columns_and_full_at_the_end(tmp_path: Path, length: list[str], counts: str) -> None:
    settings = ("data.ratio=0", "data.creative.size=12", "trainer.global_batch_size=2", *length)
    small = ("logger=none", "model.max_length=160", *SMALL_MODEL)
    run = Forked("train.py", ["study=s", *settings, *small], tmp_path, outside() | {"COLUMNS": "80"}).wait()
    assert run.returncode == 0, run.stderr
    [bar] = [line for line in run.stdout.splitlines() if line.startswith("Epoch")]
    assert re.fullmatch(rf"Epoch {counts} loss: \d+\.\d\d val: \d+\.\d\d tokens/s: [\d,]+ left: 0 s *", bar)
    assert len(bar) <= 80
