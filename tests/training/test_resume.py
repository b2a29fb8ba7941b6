"""A run that was killed at any moment ends with the very weights of one that was not."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from coig.files.lock import locked
from coig.study.arm import LOCK
from tests.conftest import outside
from tests.forked import PATIENCE, Forked, started_ranks
from tests.small_model import SMALL_MODEL

SETTINGS = (
    *SMALL_MODEL,
    "data.ratio=0",
    "data.creative.size=12",
    "data.validation.general=1",
    "model.max_length=160",
    "trainer.global_batch_size=2",
    "trainer.max_epochs=2",
    "trainer.checkpoint_every=4",
    "logger=none",
    "study=killed",
)
STEPS = 12  # with checkpoints after 4, 6, 8 and 12
CASES = {
    "plain": (),
    "adapters of a 4-bit base with dropout, 8-bit moments": (
        "optimizer=adamw_8bit",
        "model/lora=rank16_4bit",
        "model.lora.dropout=0.1",
    ),
    "split weights": ("optimizer=adamw_split",),
}
SHARDED = {
    "8-bit moments": ("optimizer=adamw_8bit",),
    "plain": (),
    "adapters": ("model/lora=rank16",),
}


def start(folder: Path, arm: str, *overrides: str, lines: int = 0) -> Forked:
    """Start train.py; with `lines` it stops itself in the step after so many lines of metrics."""
    stop_at = "metrics.jsonl" if lines else None
    return Forked("train.py", [*SETTINGS, f"arm={arm}", *overrides], folder, outside(), stop_at, lines=lines)


def finish(process: Forked) -> str:
    run = process.wait()
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def kill(process: Forked, arm: Path) -> None:
    """kill -9 a run that stops itself, and see that nobody holds its arm."""
    process.wait_until_stopped()
    process.kill()
    process.wait()
    with locked(arm / LOCK, PATIENCE):
        pass


def lines(metrics: Path) -> list[dict[str, Any]]:
    """The whole lines of a metrics.jsonl."""
    text = metrics.read_text() if metrics.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def steps(metrics: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["train/loss"]) for line in lines(metrics) if "train/loss" in line]


def results(folder: Path, name: str) -> dict[str, Any]:
    """An arm's weights, losses and checkpoints, none of which may depend on a kill."""
    arm = folder / "multirun" / "killed" / name
    weights = load_file(arm / "model" / "model.safetensors")
    return {
        "weights": {name: tensor.tolist() for name, tensor in weights.items()},
        "losses": steps(arm / "metrics.jsonl"),
        "checkpoints": [file.name for file in (arm / "checkpoints").iterdir()],
    }


@pytest.mark.parametrize("case", ["plain", *(pytest.param(case, marks=pytest.mark.slow) for case in list(CASES)[1:])])
def test_a_killed_run_ends_with_the_same_weights(case: str, tmp_path: Path) -> None:
    overrides = CASES[case]
    finish(start(tmp_path, "whole", *overrides))
    arm = tmp_path / "multirun" / "killed" / "cut"
    for taken, lines in ((5, 5), (7, 8)) if case == "plain" else ((5, 5),):  # 8: with the validation of an epoch
        kill(start(tmp_path, "cut", *overrides, lines=lines), arm)
        assert len(steps(arm / "metrics.jsonl")) == taken
    finish(start(tmp_path, "cut", *overrides))
    cut = results(tmp_path, "cut")
    assert cut == results(tmp_path, "whole")
    assert [step for step, _ in cut["losses"]] == list(range(STEPS))
    assert cut["checkpoints"] == [f"step-{STEPS:08}.ckpt"]


@pytest.mark.parametrize(
    "case", ["8-bit moments", *(pytest.param(case, marks=pytest.mark.slow) for case in list(SHARDED)[1:])]
)
def test_sharded_arms_train_on_while_a_checkpoint_is_written(case: str, tmp_path: Path) -> None:
    """A kill meanwhile leaves the checkpoint before: here that of step 6, while that of step 8 is held up."""
    settings = (*SETTINGS, *SHARDED[case], "trainer.devices=2", "trainer.strategy=fsdp")
    arm = tmp_path / "multirun" / "killed" / "cut"
    for name, hold_at in (("whole", None), ("cut", ".step-00000008.ckpt.partial/.metadata.tmp"), ("cut", None)):
        with started_ranks(tmp_path, *settings, f"arm={name}", hold_at=hold_at) as ranks:
            if hold_at is None:
                for rank in ranks:
                    finish(rank)
                continue
            while len(steps(arm / "metrics.jsonl")) < STEPS:
                assert all(rank.poll() is None for rank in ranks), [rank.wait() for rank in ranks]
                time.sleep(0.005)
            for rank in ranks:
                rank.kill()
                rank.wait()
        assert sorted(file.name for file in (arm / "checkpoints").iterdir()) == [
            ".step-00000008.ckpt.partial",
            "step-00000006.ckpt",
        ]
    cut = results(tmp_path, "cut")
    assert cut == results(tmp_path, "whole")
    assert [step for step, _ in cut["losses"]] == list(range(STEPS))
    assert cut["checkpoints"] == [f"step-{STEPS:08}.ckpt"]


def test_a_checkpoint_that_a_kill_cut_off_is_not_used(tmp_path: Path) -> None:
    """It has another name and is removed with the next one. Here minutes trigger it, and the last one is not kept."""
    run = start(tmp_path, "cut", "trainer.checkpoint_every=1000", "trainer.checkpoint_minutes=1e-6", lines=5)
    arm = tmp_path / "multirun" / "killed" / "cut"
    kill(run, arm)
    checkpoint = max((arm / "checkpoints").glob("step-*.ckpt"))  # a kill may leave the one before, too
    unfinished = checkpoint.with_name(f".step-{STEPS:08}.ckpt.partial")
    unfinished.write_bytes(checkpoint.read_bytes()[:1000])
    finish(start(tmp_path, "cut", "trainer.keep_checkpoint=false"))
    assert not list((arm / "checkpoints").iterdir())
    longer = start(tmp_path, "cut", "trainer.max_epochs=3", "resume=true").wait()
    assert "has no checkpoint any more" in longer.stderr
