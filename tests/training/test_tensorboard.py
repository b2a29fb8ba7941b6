"""logger=tensorboard: each step once, also after a kill, as TensorBoard itself reads it."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import outside
from tests.forked import Forked
from tests.small_model import SMALL_MODEL

COMMAND = (
    *("study=s", "data.ratio=0", "data.creative.size=20", "data.validation.general=1", "logger=tensorboard"),
    *("trainer.global_batch_size=4", "trainer.max_epochs=2", "trainer.checkpoint_every=3", "model.max_length=160"),
    *SMALL_MODEL,
)


def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    arm = tmp_path / "multirun" / "s" / "cw"
    run = Forked("train.py", COMMAND, tmp_path, outside(), stop_at="metrics.jsonl", lines=6)  # 5 steps, a validation
    run.wait_until_stopped()
    run.kill()
    run.wait()
    ended = Forked("train.py", COMMAND, tmp_path, outside()).wait()
    assert ended.returncode == 0, ended.stderr
    events = EventAccumulator(str(arm / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(10))
    assert [event.step for event in events.Scalars("validation/loss")] == [4, 9]
