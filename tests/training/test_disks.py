"""Full disks, little memory, deleted folders and signals: one line says what happened, and nothing is lost or left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coig.study.arm import Arm
from tests.conftest import ROOT, Command, outside
from tests.forked import PATIENCE, Forked
from tests.mounts import mounted_on_itself
from tests.small_model import SMALL_MODEL

SMALL = (
    *("data.ratio=0", "data.creative.size=24", "data.validation.general=1", "model.max_length=160"),
    *("trainer.global_batch_size=4", "study=s", *SMALL_MODEL),
)
TINY = (*SMALL, "trainer.max_epochs=1", "logger=none")
LIMIT = 1_000_000  # bytes of a file


def python(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)


def test_a_full_disk_leaves_no_piece_of_a_record(tmp_path: Path) -> None:
    program = (
        "import resource\n"
        "from pathlib import Path\n"
        "from coig.records.query import Query\n"
        "from coig.records.record import append_records\n"
        "queries = [Query(id='q', lang='zh', genre='g', query='写一首诗' * 100)]\n"
        "append_records(Path('queries.jsonl'), queries)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, -1))\n"
        "append_records(Path('queries.jsonl'), queries)\n"
    )
    run = python(program, tmp_path)
    assert "File too large: 'queries.jsonl'" in run.stderr
    [line] = (tmp_path / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["id"] == "q"


def test_output_that_cannot_be_written_is_dropped(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from coig.config.process import shield_output\n"
        "shield_output()\n"
        "print('\u2022', flush=True)\n"  # which ASCII lacks
        "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
        "print('lost', flush=True)\n"
        "print('lost, too')\n"
        "sys.stderr.write('at the end')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "?\n", "at the end")


@pytest.mark.parametrize("needs", ["import torch", "bytearray(1 << 30)"])
def test_too_little_memory_is_said_in_one_line(needs: str, tmp_path: Path) -> None:
    program = (
        "import os, resource\n"
        "from pathlib import Path\n"
        "from coig.config.process import guarded\n"
        "with guarded():\n"
        "    used = int(Path('/proc/self/statm').read_text().split()[0]) * os.sysconf('SC_PAGE_SIZE')\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, -1))\n"
        f"    {needs}\n"
    )
    run = python(program, tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("Cannot allocate memory; allow this process more (ulimit -v")
    assert run.stderr.count("\n") == 1


def started(folder: Path, *overrides: str) -> tuple[Forked, Arm]:
    """train.py, once it has saved a checkpoint."""
    run = Forked("train.py", [*TINY, "trainer.checkpoint_every=2", *overrides], folder, outside())
    arm = Arm(folder / "multirun" / "s" / "cw")
    while arm.checkpoint is None:
        assert run.poll() is None, run.wait().stderr
        time.sleep(0.005)
    return run, arm


def test_ctrl_c_ends_with_the_exit_code_of_shells(tmp_path: Path) -> None:
    run, arm = started(tmp_path, "trainer.max_epochs=20")
    run.kill(signal.SIGINT)
    ended = run.wait()
    assert ended.returncode == 130, ended.stderr
    assert "Traceback" not in ended.stderr
    assert (arm.manifest().status, arm.manifest().error) == ("failed", "interrupted")


@pytest.mark.parametrize(
    ("moment", "lines"),
    [("cw/metrics.jsonl", 2), (".step-00000002.ckpt.partial", 0)],
    ids=["as a step is logged", "as a checkpoint is opened"],
)
def test_a_study_that_is_deleted_stays_so(moment: str, lines: int, tmp_path: Path) -> None:
    """It is deleted while the run is stopped: what was written meanwhile would keep a folder."""
    settings = [*TINY, "trainer.checkpoint_every=2"]
    run = Forked("train.py", settings, tmp_path, outside(), stop_at=moment, lines=lines)
    run.wait_until_stopped()
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    assert not list(arm.folder.rglob("*.partial"))  # not opened yet
    arm.remove()
    run.kill(signal.SIGCONT)
    ended = run.wait()
    assert ended.returncode == 1
    assert "it was deleted or moved while it was needed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not arm.folder.exists()


def test_an_arm_is_done_though_its_checkpoint_cannot_be_deleted(command: Command, tmp_path: Path) -> None:
    """The checkpoint is mounted as the model is about to get its name, which is after the last step."""
    arguments = [*TINY, "trainer.keep_checkpoint=false"]
    run = Forked("train.py", arguments, tmp_path, outside(), stop_at="s/cw/model")
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    try:
        run.wait_until_stopped()
        checkpoint = arm.checkpoint
        assert checkpoint
        with mounted_on_itself(checkpoint):
            run.kill(signal.SIGCONT)
            ended = run.wait()
    finally:
        if run.poll() is None:
            run.kill()
    assert ended.returncode == 0, ended.stderr
    assert f"{checkpoint.name}: is not needed any more, but cannot be deleted (Device or resource busy)" in ended.stdout
    assert (arm.manifest().status, arm.checkpoint) == ("done", checkpoint)
    assert "done already, skipped" in command("train.py", *arguments).stdout


def test_a_logger_that_cannot_start_costs_nothing(command: Command, tmp_path: Path) -> None:
    """What an earlier run left is deleted only when everything else stands; and its lines are all there."""
    assert command("train.py", *TINY).returncode == 0
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    lines = [json.loads(line) for line in arm.metrics.read_text().splitlines()]
    assert [line["step"] for line in lines if "train/loss" in line] == [0, 1, 2, 3, 4, 5]
    arm.generations("few").parent.mkdir()
    arm.generations("few").touch()
    before = {path: path.stat().st_mtime_ns for path in arm.folder.rglob("*") if path.name != ".lock"}
    csv = ("logger=csv", "logger.save_dir=/dev/null/nowhere")
    for change in (("overwrite=true",), ("resume=true", "trainer.max_epochs=3")):
        failed = command("train.py", *TINY, *csv, *change)
        assert failed.returncode == 1
        assert "/dev/null/nowhere" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_checkpoint_that_does_not_fit(command: Command, tmp_path: Path) -> None:
    """train.py may write no more than LIMIT bytes into one file."""
    program = (
        "import resource, runpy, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, -1))\n"
        f"sys.argv[0] = {str(ROOT / 'train.py')!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    (tmp_path / "limited.py").write_text(program)
    failed = command(str(tmp_path / "limited.py"), *TINY)
    assert failed.returncode == 1
    assert "make room there and run the same command again" in failed.stderr
    assert "Traceback" not in failed.stderr
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    assert (arm.manifest().status, "make room there" in str(arm.manifest().error)) == ("failed", True)
    assert list((arm.folder / "checkpoints").iterdir()) == []
