"""One step is the same step on one device and on two, whoever shares the work among them."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from coig.config.fields import SAMPLE
from coig.models.loading import load_model
from coig.study.arm import Arm
from tests.conftest import ROOT, Command, outside
from tests.forked import PATIENCE, started_ranks
from tests.models.test_causal_lm import TINY
from tests.small_model import SMALL_MODEL

TWO_STEPS = (
    *SMALL_MODEL,
    "data.ratio=0",
    "data.creative.size=33",  # so that the second step has a single example for two ranks
    "data.validation.general=1",
    "model.max_length=200",
    "trainer.max_steps=2",
    "logger=none",
)
# a large plain gradient step, so that the weights' change is the gradient
SETTINGS = (
    *TWO_STEPS,
    "trainer.max_grad_norm=1e9",
    "trainer.tokens_per_micro_batch=1000",
    "optimizer._target_=torch.optim.SGD",
    "optimizer.lr=1.0",
    "~optimizer.betas",
    "~optimizer.eps",
    "~optimizer.fused",
    "scheduler=constant",
    "scheduler.warmup=0",
    "trainer.checkpoint_every=1",
)
RANKS = {
    "one": (),
    "ddp": ("trainer.devices=2", "trainer.strategy=ddp"),
    "fsdp": ("trainer.devices=2", "trainer.strategy=fsdp"),
}


def succeeded(result: Any) -> Any:
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.mark.parametrize("strategy", [pytest.param("ddp", marks=pytest.mark.slow), "fsdp"])
def test_a_rank_that_fails_alone_ends_all(strategy: str, tmp_path: Path) -> None:
    """No rank is ended by another process here; torchrun would do so after the first exit.

    On an idle machine they end within 15 seconds. If one waited for the other it would be ten minutes, which is more
    than `wait` allows.
    """
    failing = "optimizer._target_=tests.training.failing.OutOfMemoryOnSecondRank"
    settings = (*TWO_STEPS, *RANKS[strategy], failing, "study=alone", "arm=a")
    arm = Arm(tmp_path / "multirun" / "alone" / "a")
    with started_ranks(tmp_path, *settings) as ranks:
        first, second = (rank.wait() for rank in ranks)
    assert "train/loss" in arm.metrics.read_text()  # the first has taken its step
    assert (first.returncode, second.returncode) == (1, 71)  # a lack of memory has a code of its own
    assert "out of memory: the largest micro-batch of this step has " in second.stderr
    assert "another process of this arm ended; its own message says why" in first.stderr
    assert "Traceback" not in first.stderr + second.stderr
    assert "another process of this arm ended" in str(arm.manifest().error)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a process from /proc")
@pytest.mark.parametrize(
    ("raised", "code", "printed"),
    [
        ("SystemExit()", 143, ""),
        ("KeyboardInterrupt()", 130, ""),
        ("OutOfMemoryError('no memory')", 71, "no memory\n"),
        ("ValueError()", 1, "ValueError\n\n"),
        ("SystemExit('no data')", 1, "no data\n"),
    ],
)
def test_a_rank_ends_with_the_code_and_the_text_of_its_error(raised: str, code: int, printed: str) -> None:
    program = f"from coig.errors import OutOfMemoryError\nfrom coig.training.ranks import _exit\n_exit({raised})"
    run = subprocess.run([sys.executable, "-c", program], env=outside(), cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (code, printed)


@pytest.mark.slow
def test_the_first_rank_alone_holds_the_whole_model(tmp_path: Path) -> None:
    """The second has its half and one layer of 119 M weights; libraries that are imported meanwhile count, too."""
    shutil.copytree(SAMPLE / "tiny", tmp_path / "deep", ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((tmp_path / "deep" / "config.json").read_text())
    config |= {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 16, "layer_types": None}
    config |= {"num_attention_heads": 8, "num_key_value_heads": 8}
    (tmp_path / "deep" / "config.json").write_text(json.dumps(config))
    noting = "optimizer._target_=tests.training.failing.PeakMemory"
    settings = (*TWO_STEPS, *RANKS["fsdp"], "model.path=deep", noting)
    with started_ranks(tmp_path, *settings) as ranks:
        for rank in ranks:
            assert "peak noted" in (ended := rank.wait()).stderr, ended.stderr
    first, second = (int((tmp_path / f"peak-{rank}").read_text()) * 1024 for rank in (0, 1))
    assert first - second > 0.15 * 119e6 * 4


def test_two_processes_take_the_steps_of_one(command: Command, tmp_path: Path) -> None:
    changes = {}
    small = TINY.model_copy(update={"path": SMALL_MODEL[0].removeprefix("model.path=")})
    start = load_model(small, seed=0).state_dict()
    for name, trainer in RANKS.items():
        settings = (*SETTINGS, *trainer, f"arm={name}", "study=ranks")
        if name == "one":
            output = succeeded(command("train.py", *settings)).stdout
        else:
            with started_ranks(tmp_path, *settings) as ranks:
                output = "".join(succeeded(rank.wait()).stdout for rank in ranks)
        assert output.count(f"{name}: done in") == 1
        weights = load_file(tmp_path / "multirun" / "ranks" / name / "model" / "model.safetensors")
        changes[name] = torch.cat([(weights[key] - start[key]).flatten() for key in sorted(weights)])
    for name in ("ddp", "fsdp"):
        assert float((changes[name] - changes["one"]).norm() / changes["one"].norm()) <= 1e-5, name


@pytest.mark.slow
def test_a_sweep_under_torchrun(tmp_path: Path) -> None:
    """Its ranks outlive an arm, and so does the store by which they find each other."""
    settings = (*SETTINGS, *RANKS["ddp"], "study=sweep", "seed=0,1", "trainer.max_steps=1")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", str(ROOT / "train.py"))
    run = subprocess.run(
        [*torchrun, "-m", *settings], cwd=tmp_path, env=outside(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for arm in ("cw", "cw-s1"):
        assert Arm(tmp_path / "multirun" / "sweep" / arm).manifest().status == "done"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer=fsdp"], "trainer.devices=8: this machine has 0 GPUs; lower it, or trainer=cpu"),
        (["trainer.devices=2"], "2 devices need a strategy: trainer.strategy=fsdp or ddp"),
        (["trainer.num_nodes=2", "trainer.strategy=fsdp"], "start the command on each node with torchrun --nnodes=2"),
        (["trainer.devices=2", "trainer.strategy=ddp", "optimizer=adamw_8bit"], "take trainer.strategy=fsdp"),
        (
            ["trainer.devices=2", "trainer.strategy=fsdp", "model/lora=rank16_4bit"],
            "model/lora=rank16_4bit is for one device",
        ),
        (["trainer.accelerator=mps"], "trainer=cpu trains the demo there"),
        (["trainer.devices=2", "trainer.strategy=ddp", "data.creative.path=/nowhere"], "no such file"),
        pytest.param(
            ["trainer.devices=2", "trainer.strategy=ddp", "model.max_length=1"],
            "within model.max_length=1; raise it",
            marks=pytest.mark.slow,  # its ranks start first
        ),
    ],
)
def test_what_cannot_be_shared_out(command: Command, overrides: list[str], message: str, tmp_path: Path) -> None:
    result = command("train.py", "data.ratio=0", "logger=none", *overrides)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("multirun/*/*/manifest.json"))


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_a_rank_is_not_started_by_hand(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["coig.training", *arguments])
    with pytest.raises(SystemExit, match="train an arm with"):
        runpy.run_module("coig.training", run_name="__main__")
