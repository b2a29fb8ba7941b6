"""A manifest's record of the code, in a real git repository."""

from __future__ import annotations

import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from coig.study.provenance import collect_provenance, installed_packages


def git(folder: Path, *command: str, **options: Any) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    run = ["git", "-C", str(folder), *identity, *command]
    printed: str = subprocess.run(run, check=True, capture_output=True, text=True, **options).stdout
    return printed


def recorded(checkout: Path) -> Any:
    return collect_provenance({}, checkout)["git"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "coig").mkdir(parents=True)
    (folder / "coig" / "a.py").write_text("one = 1\n")
    (folder / "figure.png").write_bytes(b"\x89PNG\x00\xff")
    git(tmp_path, "init", "--quiet", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


def test_a_clean_checkout_is_its_revision(checkout: Path) -> None:
    revision = git(checkout, "rev-parse", "HEAD").strip()
    assert recorded(checkout) == {"revision": revision, "dirty": False, "diff": None, "untracked": []}


def test_changes_can_be_made_again_from_the_record(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "config", "color.diff", "always")  # settings of the user's that git could not apply
    (checkout / "coig" / "a.py").write_text("one = 'ü'\n\n")
    (checkout / "figure.png").write_bytes(b"\x89PNG\x00\xfe")
    record = recorded(checkout)
    assert record["dirty"]
    git(tmp_path, "clone", "--quiet", str(checkout), "again")
    git(tmp_path / "again", "checkout", "--quiet", record["revision"])
    git(tmp_path / "again", "apply", input=record["diff"])
    for file in ("coig/a.py", "figure.png"):
        assert (tmp_path / "again" / file).read_bytes() == (checkout / file).read_bytes()


def test_untracked_files_are_named_but_not_copied(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("a password")
    (checkout / ".gitignore").write_text("multirun\n")
    for name in ("multirun", "mine"):
        (checkout / name).mkdir()
        (checkout / name / "file").write_text("a password")
    record = recorded(checkout)
    assert (record["dirty"], record["diff"]) == (True, None)
    assert record["untracked"] == [".gitignore", "mine/", "notes.txt"]
    assert "a password" not in str(record)


def test_secrets_are_cut_out_of_a_diff(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, harmless = "5ec2e7" * 6, "token = tokenizer.end_of_sequence_2"
    monkeypatch.setenv("MY_PASSWORD", "correct horse 1")
    lines = (f"api_key: sk-{key}", f'"hf_token": "{key}"', f"u = 'https://me:{key}@host/x'", f"x = 'hf_{key}'")
    text = "\n".join([*lines, "pass it: correct horse 1", harmless, ""])
    (checkout / "coig" / "a.py").write_text(text)
    diff = recorded(checkout)["diff"]
    assert key not in diff
    assert "correct horse" not in diff
    assert diff.count("[removed]") == 5
    assert f"+{harmless}\n" in diff


def test_a_long_diff_is_told_by_its_sum(checkout: Path) -> None:
    (checkout / "coig" / "a.py").write_text("one = 1\n" * 200_000)
    diff = recorded(checkout)["diff"]
    assert sorted(diff) == ["bytes", "sha256"]
    assert diff["bytes"] > 1_600_000


def test_an_installed_coig_is_not_taken_for_the_project_around_it(checkout: Path, tmp_path: Path) -> None:
    assert recorded(tmp_path) is None
    packages = checkout / ".venv" / "site-packages"
    (packages / "coig").mkdir(parents=True)
    (packages / "coig" / "a.py").touch()
    assert recorded(packages) is None


def test_the_packages_are_those_that_python_knows() -> None:
    assert installed_packages() == {one.metadata["Name"]: one.version for one in distributions()}


def test_the_machine() -> None:
    machine = collect_provenance({"gpus": [], "torch_threads": 2})["machine"]
    assert machine["cores"] > 0
    assert machine["memory_gb"] > 0.5
    assert machine["cpu"]
    assert (machine["gpus"], machine["torch_threads"]) == ([], 2)
