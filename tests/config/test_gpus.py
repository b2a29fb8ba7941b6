"""Jobs of a sweep that run side by side take different GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coig.config import GenerateConfig, gpus
from coig.config.command_line import config_of
from coig.config.fields import SAMPLE
from coig.config.gpus import first_free, group_gpus
from tests.conftest import ROOT, outside
from tests.forked import PATIENCE
from tests.studies import compose_config, make_arm

CORES = len(os.sched_getaffinity(0))


def test_gpus_are_divided_in_their_order() -> None:
    assert group_gpus(["0", "1", "2"], 1) == [["0"], ["1"], ["2"]]
    assert group_gpus(["4", "5", "6", "7", "8"], 2) == [["4", "5"], ["6", "7"]]
    assert group_gpus(["GPU-a"], 2) == []


def test_a_job_takes_the_first_free_gpus_and_waits_if_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(gpus, "POLL", 0.01)
    pairs, singles = [["0", "1"], ["MIG-a/1", "3"]], [["0"], ["1"], ["MIG-a/1"], ["3"]]
    third: list[list[str]] = []

    def take_a_pair() -> None:
        with first_free(pairs) as pair:
            third.append(pair)

    with first_free(singles) as single:
        assert single == ["0"]
        with first_free(pairs) as pair:
            assert pair == ["MIG-a/1", "3"]
            waiting = threading.Thread(target=take_a_pair)
            waiting.start()
            waiting.join(0.1)
            assert not third
        waiting.join(PATIENCE)
        assert third == [["MIG-a/1", "3"]]


def test_an_arm_needs_gpus_if_it_is_trained_on_them() -> None:
    assert compose_config("trainer=cpu").gpus == 0
    assert compose_config("trainer=fsdp", "trainer.devices=4").gpus == 4


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ([], 1),
        (["engine=vllm"], 1),
        (["engine=vllm", "engine.tensor_parallel_size=2"], 2),
        (["engine=vllm", "engine.tensor_parallel_size=auto"], 1),
        (["engine=openai"], 0),
    ],
)
def test_an_engine_needs_the_gpus_that_share_its_model(overrides: list[str], count: int) -> None:
    assert config_of("generate", GenerateConfig, overrides).gpus == count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "threads"),
    [(["launcher=joblib", "hydra.launcher.n_jobs=2"], CORES // 2), (["launcher=submitit_local"], 1)],
    ids=["joblib", "submitit_local"],
)
def test_jobs_side_by_side_see_different_gpus_and_share_the_cores(
    launcher: list[str], threads: int, tmp_path: Path
) -> None:
    """Of three jobs two run at a time, because joblib starts no more, or because there are no more GPUs."""
    arms = {name: make_arm(tmp_path / "multirun" / "s" / name) for name in ("cw", "cw+1k", "cw+5k")}
    for arm in arms.values():
        shutil.copytree(SAMPLE / "tiny", arm.model)
        (arm.model / "generation_config.json").write_text("{}")
    sweep = ("-m", "arms=cw,cw+1k,cw+5k", "per_genre=1", "engine._target_=tests.generation.beside.Seen")
    variables = {"CUDA_VISIBLE_DEVICES": "3,GPU-b", "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, str(ROOT / "generate.py"), *sweep, *launcher],
        cwd=tmp_path,
        env={name: value for name, value in outside().items() if name != "OMP_NUM_THREADS"} | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    files = sorted((tmp_path / "seen").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    assert {file.name for file in files} == arms.keys()
    seen = [file.read_text().split() for file in files]
    assert {gpu for gpu, _ in seen[:2]} == {"3", "GPU-b"}
    assert seen[2][0] in ("3", "GPU-b")
    assert [count for _, count in seen] == [str(max(1, threads))] * 3
