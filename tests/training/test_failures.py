"""A run that cannot go on says why, and loses nothing."""

import json
import math
import re
import sys
from pathlib import Path

import lightning
import pytest
import torch
from torch import Tensor, nn

from coig.errors import ConfigError
from coig.training.failures import DropOnFailure, check_weights, is_out_of_memory
from tests.conftest import ROOT, Command
from tests.forked import Forked, outside

SMALL = (
    *("data.ratio=0", "data.creative.size=20", "data.validation.general=1"),
    *("trainer.global_batch_size=4", "logger=none", "study=failing"),
)


@pytest.mark.parametrize(
    ("overrides", "message", "kept"),
    [
        (["optimizer.lr=1e38", "trainer.checkpoint_every=1"], "on the examples cw-", ["step-00000002.ckpt"]),
        (["optimizer.lr=1e38", "trainer.global_batch_size=20"], "step 2: validation loss nan", ["step-00000001.ckpt"]),
        (["optimizer.lr=1e39", "trainer.checkpoint_every=2"], "after step 2: model.embed_tokens.weight", []),
    ],
)
def test_what_is_not_finite_takes_the_place_of_nothing(
    command: Command, tmp_path: Path, overrides: list[str], message: str, kept: list[str]
) -> None:
    """The rate is absurd but for the first step of warm-up, where it is 0."""
    result = command("train.py", *SMALL, "model.max_length=200", *overrides)
    assert result.returncode == 1
    assert "is not finite" in result.stderr
    assert message in result.stderr
    assert "Lower model.learning_rate and start anew with overwrite=true" in result.stderr
    assert "Traceback" not in result.stderr
    arm = tmp_path / "multirun" / "failing" / "cw"
    assert json.loads((arm / "manifest.json").read_text())["status"] == "failed"
    assert not (arm / "model").exists()
    assert [file.name for file in arm.glob("checkpoints/*")] == kept


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_weight_that_is_not_finite_is_found(value: float, dtype: torch.dtype) -> None:
    module = nn.ParameterDict({"sound": torch.zeros(2, 3), "empty": torch.zeros(0, 3), "broken": torch.ones(2, 3)})
    check_weights(module.to(dtype), 5)
    with torch.no_grad():
        module["broken"][1, 2] = value
    with pytest.raises(ConfigError, match="after step 5: broken is not finite"):
        check_weights(module, 5)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.parametrize("budget", [20_000, pytest.param(1, marks=pytest.mark.slow)])
def test_out_of_memory_names_the_largest_micro_batch(budget: int, tmp_path: Path) -> None:
    """With room for the libraries but not for the step. A micro-batch of one example cannot be made smaller."""
    overrides = (*SMALL, "trainer.global_batch_size=32", f"trainer.tokens_per_micro_batch={budget}")
    program = (
        "import sys, resource\n"
        "from coig.models.causal_lm import CausalLM\n"
        "forward = CausalLM.forward\n"
        "def limited(self, *arguments):\n"
        "    used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + 2_000_000, -1))\n"
        "    return forward(self, *arguments)\n"
        "CausalLM.forward = limited\n"
        f"sys.argv[0] = {str(ROOT / 'train.py')!r}\n"
        "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    (tmp_path / "limited.py").write_text(program)
    no_reserve = {"MALLOC_TRIM_THRESHOLD_": "131072"}  # the heap is not kept, which would have room for the step
    result = Forked(str(tmp_path / "limited.py"), overrides, tmp_path, outside() | no_reserve).wait()
    assert result.returncode == 1
    [tokens] = re.findall(r"out of memory: the largest micro-batch of this step has ([\d,]+) tokens", result.stderr)
    half = int(tokens.replace(",", "")) // 2
    smaller = [f"trainer.tokens_per_micro_batch={half} (results stay the same)"] if budget > 1 else []
    recomputed = "trainer.activation_checkpointing=4 (results stay the same)"
    assert f"try {', '.join([recomputed, *smaller, 'model/lora=rank16'])}" in result.stderr


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 20.00 MiB.",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
        "NCCL error: unhandled cuda error, NCCL version 2.30.7. Last error:\nFailed to CUDA calloc async 608 bytes",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.",
    ],
)
def test_every_library_has_its_own_words_for_it(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))
    assert not is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


def test_layers_that_are_not_there_cannot_compute_twice(command: Command) -> None:
    result = command("train.py", *SMALL, "trainer.activation_checkpointing=5")
    assert result.returncode == 1
    assert "trainer.activation_checkpointing=5: the model has 4 layers" in result.stderr


class Failing(lightning.LightningModule):
    """A model that fails at its second step; it counts the numbers that Lightning then copies to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(1, 1, bias=False)
        self.copied = -1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.model.parameters())

    def training_step(self, batch: int, index: int) -> Tensor:
        if index:
            raise RuntimeError("the second step fails")
        loss: Tensor = self.model(torch.ones(1))
        return loss

    def cpu(self) -> "Failing":
        self.copied = sum(weight.numel() for weight in self.parameters())
        return self


def test_a_failed_run_copies_nothing_to_the_host() -> None:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, callbacks=[DropOnFailure()], **quiet)
    module = Failing()
    with pytest.raises(RuntimeError, match="the second step fails"):
        trainer.fit(module, range(3))
    assert module.copied == 0
    assert not any(optimizer.state for optimizer in trainer.optimizers)
