"""coig works as a wheel in a new environment, without the repository."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from coig import __version__
from tests.conftest import ROOT
from tests.forked import PATIENCE


@pytest.fixture(scope="module")
def coig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install coig into a new environment that uses the tests' libraries; return the path of its console command."""
    pytest.importorskip("hatchling", reason="builds the wheel: pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("coig-*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "venv" / "bin" / "coig"


def run(coig: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HOME": str(folder), "COLUMNS": "120"}
    return subprocess.run(
        [coig, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )


def test_an_arm_from_any_folder(coig: Path, tmp_path: Path) -> None:
    where = [str(coig.with_name("python")), "-I", "-c", "import coig; print(coig.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True)
    assert str(coig.parents[1]) in found.stdout  # not the repository
    assert Path(found.stdout.strip()).with_name("py.typed").exists()
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    experiment = "# @package _global_\nstudy: mine\ndata:\n  ratio: 0\n"
    (tmp_path / "mine" / "experiment" / "my_ablation.yaml").write_text(experiment)
    own = ("train", "--config-dir", "mine", "experiment=my_ablation", "length=fast", "logger=none")
    trained = run(coig, tmp_path, *own)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert (tmp_path / "multirun" / "mine" / "cw" / "model" / "model.safetensors").exists()
    listed = run(coig, tmp_path, "study", "list")
    assert "mine" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tran"], "coig tran: no such command; did you mean 'train'?"),
        (["train", "data.rato=1k"], "data.rato: unknown key in data; did you mean 'ratio'?"),
        (["train", "--config-path", "mine"], "add your folder with --config-dir"),
        (["power", "effect=0.6"], "raters: not set"),
    ],
)
def test_bad_input_is_one_message(coig: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = run(coig, tmp_path, *arguments)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_command_it_says_what_there_is(coig: Path, tmp_path: Path) -> None:
    assert "coig power effect=0.6" in run(coig, tmp_path).stdout
    assert run(coig, tmp_path, "--version").stdout == f"coig {__version__}\n"
