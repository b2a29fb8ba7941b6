"""Whole commands in odd places, beside each other, and stopped: one line, the right exit code, nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coig.study.arm import LOCK, Arm
from tests.conftest import ROOT, outside
from tests.forked import PATIENCE, Forked
from tests.mounts import mounted_on_itself
from tests.small_model import SMALL_MODEL

TINY = (
    *("study=s", "data.creative.size=24", "model.max_length=160", *SMALL_MODEL),
    *("trainer.global_batch_size=4", "trainer.max_epochs=1", "logger=none"),
)
ENDED_WITHIN = 60  # seconds after the command: its workers notice, finish the step that they are at, and end


def until(condition: Callable[[], object], run: Forked | subprocess.Popen[str]) -> None:
    """Wait for something that a running command does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert run.poll() is None, "the command ended before"
        assert time.monotonic() < end
        time.sleep(0.005)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file in a folder but locks, which each process writes its name into."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of one arm, trained and asked."""
    folder = tmp_path_factory.mktemp("answered")
    for script, *arguments in (
        ("train.py", *TINY, "data.ratio=0"),
        ("generate.py", "sampling.max_new_tokens=4", "per_genre=1"),
    ):
        ended = Forked(script, arguments, folder, outside()).wait()
        assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture
def study(answered: Path, tmp_path: Path) -> Path:
    """A copy of that study, in a current folder of the test's own."""
    return shutil.copytree(answered / "multirun", tmp_path / "multirun") / "s"


def processes_of(session: int) -> list[int]:
    """Return the processes of a session that are alive."""
    alive = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of, *_ = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(of) == session and state != "Z":
            alive.append(int(file.parent.name))
    return alive


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [("launcher=joblib", "hydra.launcher.n_jobs=2"), ("launcher=submitit_local",)])
def test_workers_end_with_the_command_that_started_them(launcher: tuple[str, ...], tmp_path: Path) -> None:
    sweep = ("-m", *launcher, "data.ratio=0,1k", *TINY, "trainer.checkpoint_every=2")
    command = [sys.executable, str(ROOT / "train.py"), *sweep, "trainer.max_epochs=200"]
    with (tmp_path / "printed").open("w") as printed:
        run = subprocess.Popen(
            command, cwd=tmp_path, env=outside(), stdout=printed, stderr=printed, text=True, start_new_session=True
        )
    arms = [Arm(tmp_path / "multirun" / "s" / name) for name in ("cw", "cw+1k")]
    try:
        until(lambda: all(arm.checkpoint for arm in arms), run)
        run.terminate()
        assert run.wait(PATIENCE) == -signal.SIGTERM
        end = time.monotonic() + ENDED_WITHIN
        while alive := processes_of(run.pid):
            assert time.monotonic() < end, f"still at work: {alive}"
            time.sleep(0.1)
    finally:
        for process in processes_of(run.pid):
            os.kill(process, signal.SIGKILL)
    assert [(arm.manifest().status, arm.manifest().error) for arm in arms] == [("failed", "interrupted")] * 2


def coig(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command `coig` in a folder, started anew."""
    command = [sys.executable, "-m", "coig", *arguments]
    environment = outside() | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, input=stdin, capture_output=True, text=True, timeout=PATIENCE
    )


@pytest.mark.parametrize("arguments", ["train data.ratio=0 logger=none", "study list"])
def test_a_current_folder_that_is_deleted(arguments: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'rmdir "$PWD" && exec {sys.executable} -m coig {arguments}'
    environment = outside() | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        ["sh", "-c", command], cwd=gone, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    said = "the current folder has been deleted; change to another one, then run again\n"
    assert (run.returncode, run.stdout, run.stderr) == (1, "", said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("home", [pytest.param(None, marks=pytest.mark.slow), "/dev/null/nowhere"])
def test_no_home(home: str | None, tmp_path: Path) -> None:
    """A container, or cron. W&B's service logs to the terminal where it cannot write a file."""
    environment = {name: value for name, value in outside().items() if name != "HOME"}
    environment |= {"NETRC": str(tmp_path / "netrc")} | ({"HOME": home} if home else {})
    tracked = [setting for setting in TINY if setting != "logger=none"]
    run = Forked("train.py", [*tracked, "data.ratio=0"], tmp_path, environment).wait()
    printed = run.stdout + run.stderr
    assert run.returncode == 0, printed
    assert list(tmp_path.glob("multirun/s/cw/wandb/offline-run-*"))
    assert not re.search(r"^(20\d\d/.* |.*level=)(INFO|WARN|ERROR)|Traceback", printed, re.MULTILINE), printed


def test_two_evaluations_at_once(study: Path) -> None:
    """The first one is stopped at a file that it has written but not renamed; it goes on once the second has ended."""
    folder = study.parents[1]
    first = Forked("evaluate.py", [], folder, outside(), stop_at="report.html")
    first.wait_until_stopped()
    [partial] = (study / "evaluation").glob("**/.*")
    second = Forked("evaluate.py", [], folder, outside()).wait()
    assert second.returncode == 0, second.stderr
    whole = set(files_of(study / "evaluation")) - {partial.name}
    first.kill(signal.SIGCONT)
    ended = first.wait()
    assert ended.returncode == 0, ended.stderr
    assert set(files_of(study / "evaluation")) == whole
    assert {"answers.csv", "answers.parquet", "automatic.csv", "summary.md", "report.html"} <= whole


@pytest.fixture
def read_only(study: Path) -> Iterator[Path]:
    """The study on a mount that nobody can write to, not even root."""
    with mounted_on_itself(study, "ro"):
        yield study


def assert_refused(run: subprocess.CompletedProcess[str]) -> None:
    """Check that a command ended with one line, which says that a file or folder cannot be written to."""
    assert run.returncode == 1, run.stdout
    assert len(re.findall("cannot be written to|Read-only file system", run.stderr)) == 1, run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("arguments", ["train", "generate per_genre=2 sampling.max_new_tokens=4", "evaluate"])
def test_a_study_that_cannot_be_written_to(arguments: str, read_only: Path) -> None:
    stage, *rest = arguments.split()
    before = files_of(read_only.parent)
    overrides = [*TINY, "data.ratio=1k"] if stage == "train" else rest
    assert_refused(Forked(f"{stage}.py", overrides, read_only.parents[1], outside()).wait())
    assert files_of(read_only.parent) == before


def test_a_study_that_cannot_be_removed(read_only: Path) -> None:
    before = files_of(read_only.parent)
    assert_refused(coig(read_only.parents[1], "study", "rm", "s", stdin="y\n"))
    assert files_of(read_only.parent) == before


def test_rm_beside_an_arm_that_is_starting(study: Path) -> None:
    """It holds its lock and has no manifest yet."""
    arm = Arm(study / "cw+1k")
    starting = Forked("train.py", [*TINY, "data.ratio=1k"], study.parents[1], outside(), stop_at="cw+1k/manifest.json")
    starting.wait_until_stopped()
    assert (arm.folder / LOCK).exists()
    assert not arm.is_known
    before = files_of(study)
    run = coig(study.parents[1], "study", "rm", "s", stdin="y\n")
    assert run.returncode == 1, run.stdout
    assert "cw+1k: another process is at work on this arm" in run.stderr
    assert files_of(study) == before
    starting.kill(signal.SIGCONT)
    assert starting.wait().returncode == 0
    assert arm.manifest().status == "done"


def test_ctrl_c_while_libraries_are_imported(tmp_path: Path) -> None:
    """The interpreter sends itself the signal as it is about to import Hydra."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "def interrupt(event, arguments):\n"
        "    if event == 'import' and arguments[0] == 'hydra':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(interrupt)\n"
    )
    environment = outside() | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(ROOT / "train.py")]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert (run.returncode, run.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("moment", ["cw", LOCK, "config.json"])
def test_ctrl_c_before_an_arm_is_trained(moment: str, tmp_path: Path) -> None:
    """As Hydra makes the arm's folder, as the arm takes its lock, and as the model's config is read."""
    run = Forked("train.py", [*TINY, "data.ratio=0"], tmp_path, outside(), stop_at=moment)
    run.wait_until_stopped()
    study = tmp_path / "multirun" / "s"
    run.kill(signal.SIGINT)
    run.kill(signal.SIGCONT)
    ended = run.wait()
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")
    assert not study.exists(), list(study.rglob("*"))


def test_ctrl_c_while_queries_are_answered(study: Path) -> None:
    arm = Arm(study / "cw")
    file = arm.generations("sample")
    file.unlink()
    arguments = ["engine.tokens_per_batch=600", "sampling.max_new_tokens=100"]
    run = Forked("generate.py", arguments, study.parents[1], outside())
    until(lambda: file.exists() and file.read_bytes(), run)
    run.kill(signal.SIGINT)
    ended = run.wait()
    assert ended.returncode == 130, ended.stderr
    printed = ended.stdout + ended.stderr
    assert printed.count("interrupted; the same command continues with the queries that are left") == 1
    assert "Traceback" not in printed
    assert file.read_bytes().endswith(b"\n")
    assert arm.answers("sample")


def test_ctrl_c_while_a_report_is_written(study: Path) -> None:
    run = Forked("evaluate.py", [], study.parents[1], outside(), stop_at="report.html")
    run.wait_until_stopped()
    run.kill(signal.SIGINT)
    run.kill(signal.SIGCONT)
    ended = run.wait()
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")
    assert list(study.glob("evaluation/**/.*")) == []
