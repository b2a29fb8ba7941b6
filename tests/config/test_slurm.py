"""What launcher=slurm asks for, as the `#SBATCH` lines of a job."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from coig.config.composition import CONF

# keeps the job that it is given, and queues nothing
SBATCH = '#!/bin/sh\ncp "$1" "$(dirname "$0")/job.sh"\necho "queues nothing" >&2\nexit 1\n'


def queued(folder: Path, monkeypatch: pytest.MonkeyPatch, stage: str, *overrides: str) -> dict[str, str]:
    """Let Hydra's launcher queue a job; return its requests by option."""
    for name, text in (("sbatch", SBATCH), ("srun", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        composed = compose(stage, overrides=["launcher=slurm", *overrides], return_hydra_config=True)
        launcher: Any = instantiate(composed.hydra.launcher)
        launcher.setup(hydra_context=None, task_function=print, config=composed)
        with pytest.raises(Exception, match="queues nothing"):
            launcher.launch([["seed=0"]], 0)
    flags = re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", (folder / "job.sh").read_text(), re.MULTILINE)
    return dict(flags)


@pytest.mark.parametrize(
    ("overrides", "gpus", "cpus", "memory"),
    [
        (["trainer=gpu"], "1", "8", "128GB"),
        (["trainer=fsdp", "trainer.devices=4"], "4", "32", "176GB"),
        (["trainer=cpu"], None, "8", "128GB"),
    ],
)
def test_an_arm_asks_for_its_devices_and_is_queued_again(
    overrides: list[str], gpus: str | None, cpus: str, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = queued(tmp_path, monkeypatch, "train", *overrides, "hydra.launcher.partition=gpu")
    assert (asked.get("gpus-per-node"), asked["cpus-per-task"], asked["mem"]) == (gpus, cpus, memory)
    assert asked["time"] == "1440"
    assert asked["signal"] == "USR2@120"
    assert "requeue" in asked


def test_generating_asks_for_one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queued(tmp_path, monkeypatch, "generate")["gpus-per-node"] == "1"
