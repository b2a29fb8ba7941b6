"""Sweeps in one process: arms do not affect later ones, and a resumed sweep equals one that was never killed."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf

from coig.study.arm import Arm
from tests.conftest import Command, outside
from tests.forked import Forked
from tests.small_model import SMALL_MODEL

TINY = (
    *("study=s", "data.scale=0.001", "data.creative.size=12", "data.validation.general=2"),
    *("trainer.max_epochs=2", "trainer.global_batch_size=4", "trainer.checkpoint_every=1", "model.max_length=160"),
    *SMALL_MODEL,
)
SWEEP = ("-m", *TINY, "logger=none", "data.ratio=0,1k", "seed=0,1")
STEPS = {"cw": 6, "cw-s1": 6, "cw+1k": 8, "cw+1k-s1": 8}
ARMS = tuple(STEPS)
OWN = ("times", "wandb_run", "command")  # keys of a manifest that differ between two runs of one arm
REASONING = "objective=validation/loss/creative/zh/reasoning"  # which supervision=outcome leaves out


class LiveTensors(Callback):
    """A Hydra callback that logs each job's status and the bytes of the tensors that are still alive after it."""

    def on_job_end(self, config: Any, job_return: Any, **_: Any) -> None:
        # type(), for some objects answer isinstance with a warning
        tensors = [one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
        storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
        with Path("live.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps([job_return.status.name, sum(storages.values())]) + "\n")


@pytest.mark.slow
def test_no_arm_stays_in_memory(command: Command, tmp_path: Path) -> None:
    """Failed arms free their tensors though Hydra keeps their exceptions; an arm has 1 MB, 4 with its optimizer."""
    optimizers = "optimizer._target_=torch.optim.AdamW,tests.training.failing.OutOfMemory"
    rates, callback = "model.learning_rate=1e30,1e-3", "+hydra.callbacks.live._target_=tests.test_sweeps.LiveTensors"
    run = command("train.py", "-m", *TINY, "data.ratio=0", optimizers, rates, callback)
    live = [json.loads(line) for line in (tmp_path / "live.jsonl").read_text().splitlines()]
    assert [status for status, _ in live] == ["FAILED", "COMPLETED", "FAILED", "FAILED"], run.stderr
    assert max(size for _, size in live) < 10_000
    # the user still sees the first error
    assert run.returncode == 1
    assert "is not finite" in run.stderr
    assert "Traceback" not in run.stderr
    assert "out of memory: the largest micro-batch" in run.stdout


def results(arm: Path) -> dict[str, Any]:
    """Return the results of an arm that must not depend on interruptions."""
    metrics = [json.loads(line) for line in (arm / "metrics.jsonl").read_text().splitlines()]
    manifest = json.loads((arm / "manifest.json").read_text())
    return {
        "weights": (arm / "model" / "model.safetensors").read_bytes(),
        "metrics": [{key: value for key, value in line.items() if not key.startswith("perf/")} for line in metrics],
        "manifest": {key: value for key, value in manifest.items() if key not in OWN},
    }


def logged_steps(arm: Path) -> int:
    file = arm / "metrics.jsonl"
    return file.read_text().count("train/grad_norm") if file.exists() else 0


def kill_in_third_arm(folder: Path) -> None:
    """Kill the sweep (SIGKILL) as its third arm has taken a step after its first checkpoint."""
    folder.mkdir()
    sweep = Forked("train.py", SWEEP, folder, outside(), stop_at=f"{ARMS[2]}/metrics.jsonl", lines=1)
    sweep.wait_until_stopped()
    assert list((folder / "multirun" / "s" / ARMS[2]).glob("checkpoints/step-*.ckpt"))
    sweep.kill()
    sweep.wait()


def run_in(folder: Path, *overrides: str) -> str:
    folder.mkdir(exist_ok=True)
    run = Forked("train.py", overrides, folder, outside()).wait()
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run a sweep without interruption; return its arms' results."""
    folder = tmp_path_factory.mktemp("whole")
    run_in(folder, *SWEEP)
    arms = {arm: folder / "multirun" / "s" / arm for arm in ARMS}
    assert {arm: logged_steps(path) for arm, path in arms.items()} == STEPS
    return {arm: results(path) for arm, path in arms.items()}


def test_a_killed_sweep_ends_as_a_whole_one(whole: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    kill_in_third_arm(tmp_path / "killed")
    arms = {arm: tmp_path / "killed" / "multirun" / "s" / arm for arm in ARMS}
    assert 0 < logged_steps(arms[ARMS[2]]) < STEPS[ARMS[2]]
    assert not arms[ARMS[3]].exists()
    done = [path for arm in ARMS[:2] for path in arms[arm].rglob("[!.]*") if path.is_file()]  # no .lock
    before = [path.stat().st_mtime_ns for path in done]
    printed = run_in(tmp_path / "killed", *SWEEP)
    assert printed.count("done already, skipped") == 2
    assert [path.stat().st_mtime_ns for path in done] == before
    for arm, path in arms.items():
        assert results(path) == whole[arm]


def test_what_holds_for_all_arms_is_said_once(command: Command) -> None:
    printed = command("train.py", "-m", *TINY, "length=fast", "logger=none", "data.ratio=0,1k").stdout
    assert printed.count("attention: packed documents, by ") == 1
    assert printed.count(": done in ") == 2
    own = [line for line in printed.splitlines() if not line.startswith("[")]  # Hydra's lines begin with the time
    assert len(set(own)) == len(own)


def test_an_arm_alone_equals_a_sweep_s(whole: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    run_in(tmp_path / "alone", *TINY, "logger=none", "data.ratio=0", "seed=1")
    assert results(tmp_path / "alone" / "multirun" / "s" / "cw-s1") == whole["cw-s1"]


def test_a_search_finds_the_lowest_loss_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    search = ("-m", "sweeper=tpe", *TINY, "logger=none", "objective=validation/loss", "data.ratio=choice(0,1k)")
    run_in(tmp_path, *search, "hydra.sweeper.n_trials=2")
    study = tmp_path / "multirun" / "s"
    first = set(study.glob("cw*"))
    printed = run_in(tmp_path, *search, "hydra.sweeper.n_trials=4")
    assert printed.count("done already, skipped") == 2
    losses = {arm: Arm(arm).last_metric("validation/loss") for arm in study.glob("cw*")}
    assert len(losses) == 4
    assert first < losses.keys()
    best = min(losses, key=lambda arm: losses[arm] or 0)
    found: Any = OmegaConf.load(study / "optimization_results.yaml")
    assert found["best_value"] == losses[best]
    assert Arm(best).config().model.learning_rate == found["best_params"]["model.learning_rate"]


def test_an_objective_that_was_not_logged(command: Command, tmp_path: Path) -> None:
    run = command("train.py", *TINY, "logger=none", "data.ratio=0", "supervision=outcome", REASONING)
    assert run.returncode == 1
    assert f"{REASONING}: " in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("objective=null", "objective: null, so a search does not know what to lower; name a loss"),
        ("objective=validation/los", "objective='validation/los': is no loss of metrics.jsonl"),
        ("objective=validation/loss/creative/en/answer", "no example of that kind is there; name another loss"),
        ("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials=0: must be at least 1"),
    ],
)
def test_a_search_for_nothing_trains_nothing(command: Command, override: str, message: str, tmp_path: Path) -> None:
    run = command("train.py", "-m", "sweeper=tpe", *TINY, "logger=none", override)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "multirun").exists()


@pytest.mark.parametrize(
    ("rates", "failed"),
    [("choice(1e30,1e-3)", "1 of 2"), pytest.param("choice(1e30,2e30)", "2 of 2", marks=pytest.mark.slow)],
)
def test_a_search_says_that_trials_failed(command: Command, rates: str, failed: str) -> None:
    search = ("data.ratio=0", "hydra.sweeper.n_trials=2", f"model.learning_rate={rates}")
    run = command("train.py", "-m", "sweeper=tpe", *TINY, *search, "logger=none", "objective=validation/loss")
    assert run.returncode == 1
    assert f"{failed} trials failed" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_an_arm_of_several_processes_that_fails_is_not_the_end(command: Command, tmp_path: Path) -> None:
    """Ranks are started from the resolved config, so `-m` does not run once more in each; the second arm finds no trace
    of the first one's rendezvous, and once it is done needs no ranks."""
    processes = ("trainer.devices=2", "trainer.strategy=fsdp", "trainer.max_steps=1", "data.ratio=0", "logger=none")
    run = command("train.py", "-m", *TINY, *processes, "model.learning_rate=1e30,1e-3")
    assert run.returncode == 1
    assert "ended with exit code 1; its message is above" in run.stderr
    study = tmp_path / "multirun" / "s"
    arms = {folder.name: Arm(folder).manifest().status for folder in study.iterdir() if folder.is_dir()}
    assert arms == {"cw-learning_rate_1e+30": "failed", "cw-learning_rate_0.001": "done"}
    again = command("train.py", *TINY, *processes, "model.learning_rate=1e-3", "vary=[model.learning_rate]")
    assert "done already, skipped" in again.stdout
