"""Ten secrets, where people keep them, and the demo run among them: none is in any byte that it writes or prints."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import outside
from tests.forked import Forked
from tests.small_model import SMALL_MODEL

SECRETS = {name: f"{number}5ec2e7{number}" * 4 for number, name in enumerate(("hf", "wandb", "openai", "aws", "proxy"))}
SECRETS |= {name: f"planted-{name}-secret" for name in ("password", "netrc", "remote", "credentials", "index")}
ENVIRONMENT = {
    "HF_TOKEN": f"hf_{SECRETS['hf']}",
    "WANDB_API_KEY": (SECRETS["wandb"] * 2)[:40],
    "OPENAI_API_KEY": f"sk-{SECRETS['openai']}",
    "AWS_SECRET_ACCESS_KEY": SECRETS["aws"],
    "NO_PROXY_AUTH": SECRETS["proxy"],
    "PIP_INDEX_URL": f"https://ann:{SECRETS['index']}@pypi.example/simple",
    "MY_PASSWORD": SECRETS["password"],
}
SHORT = (*SMALL_MODEL, "model.max_length=160", "data.creative.size=12", "trainer.max_epochs=1", "study=s")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a home folder in which the demo was run, and all that it printed."""
    home = tmp_path_factory.mktemp("home") / "ann"
    work = home / "work"
    work.mkdir(parents=True)
    (home / ".netrc").write_text(f"machine api.wandb.ai login user password {SECRETS['netrc']}\n")
    (home / ".git-credentials").write_text(f"https://ann:{SECRETS['credentials']}@github.com\n")
    subprocess.run(["git", "init", "--quiet", "."], cwd=work, check=True)
    remote = f"https://ann:{SECRETS['remote']}@github.com/ann/mine.git"
    subprocess.run(["git", "remote", "add", "origin", remote], cwd=work, check=True)
    triplets = home / "mine.jsonl"  # a file by its path in the home folder, with one row that cannot be used
    row = '{"query": "Write %d.", "thought": "Think.", "answer": "A text of some words, the %dth."}\n'
    triplets.write_text("".join(row % (number, number) for number in range(20)) + "{\n")
    train = ("-m", "data.ratio=0", "data.max_quarantined=0.1", f"data.creative.path={triplets}", *SHORT)
    (work / "few.jsonl").write_text('{"id": "q", "lang": "zh", "genre": "poetry", "query": "写一首诗。"}\n')
    ask = ("study=s", "queries=few.jsonl", "sampling.max_new_tokens=4")
    places = {"HOME": str(home), "NETRC": str(home / ".netrc"), "WANDB_MODE": "offline", "COLUMNS": "120"}
    printed = ""
    for script, overrides in (("train", train), ("generate", ask), ("evaluate", ("study=s", "queries=few"))):
        run = Forked(f"{script}.py", overrides, work, outside() | ENVIRONMENT | places).wait()
        printed += run.stdout + run.stderr
        assert run.returncode == 0, printed
    return home, printed


def written(home: Path) -> list[Path]:
    """Return the files that the demo wrote: everything but git's, and what was planted."""
    return [file for file in (home / "work").rglob("*") if file.is_file() and ".git" not in file.parts]


def test_no_secret_is_written_or_printed(demo: tuple[Path, str]) -> None:
    home, printed = demo
    files = written(home)
    names = {file.name for file in files}
    assert {"config.yaml", "manifest.json", "quarantine.jsonl", "multirun.yaml", "report.html", "few.jsonl"} <= names
    assert len([file for file in files if file.suffix == ".wandb"]) == 3
    for name, secret in SECRETS.items():
        assert secret not in printed, name
        assert [file for file in files if secret.encode() in file.read_bytes()] == [], name


def test_the_home_folder_is_a_tilde_in_stored_files(demo: tuple[Path, str]) -> None:
    home, _ = demo
    ours = [file for file in written(home) if file.suffix != ".wandb"]  # these say what `wandb sync` has to upload
    assert [file for file in ours if str(home).encode() in file.read_bytes()] == []
    [config] = home.glob("work/multirun/s/*/config.yaml")
    assert "path: ~/mine.jsonl" in config.read_text()
