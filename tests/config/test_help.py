"""--help says on one screen what a command does, how it is typed, and what its groups are; it runs nothing."""

import re
import shlex
from pathlib import Path

import pytest

from coig.__main__ import STAGES
from tests.conftest import Command
from tests.forked import ROOT, Forked, outside
from tests.test_docs import check_stage

GROUPS = {
    "train": ["budget: *epochs, steps, ", "data: coig_writer, local, *sample\n", "model/lora: *none, ", "source@data."],
    "generate": ["engine: *hf, openai, vllm\n", "launcher: ", "sampling: greedy, model, *nucleus\n"],
    "annotate": ["protocol: pairs, *ranking, rating\n"],
    "judge": ["judge: *local, reward, server\n"],
    "curate": [],
    "evaluate": [],
}


def helped(folder: Path, *arguments: str) -> str:
    """Return what a command prints with --help on a terminal of 80 columns."""
    script, *rest = arguments
    run = Forked(script, [*rest, "--help"], folder, outside() | {"COLUMNS": "80"}).wait()
    assert (run.returncode, run.stderr) == (0, "")
    return str(run.stdout)


@pytest.mark.parametrize("name", STAGES)
def test_help_is_a_screen_with_the_groups_of_the_command_alone(name: str, tmp_path: Path) -> None:
    text = helped(tmp_path, f"{name}.py")
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 120
    assert all(f"  {group}" in text for group in GROUPS[name])
    assert ("protocol: " in text) == (name == "annotate")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", STAGES)
def test_examples_of_help_are_sound(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = helped(tmp_path, f"{name}.py")
    monkeypatch.chdir(tmp_path)
    for file in ("triplets.jsonl", "mine.jsonl", "articles.jsonl", "ann.jsonl", "bob.jsonl"):
        Path(file).write_text("{}\n", encoding="utf-8")
    Path("my-reward").mkdir()
    examples = re.findall(rf"^  python \S*{name}\.py(.*)$", text, re.MULTILINE)
    assert 4 <= len(examples) <= 6
    for example in examples:
        check_stage(name, shlex.split(example), monkeypatch)


def test_choices_given_beside_help_are_marked(tmp_path: Path) -> None:
    assert "  data: *coig_writer, local, sample\n" in helped(tmp_path, "train.py", "data=coig_writer")


def test_help_is_of_one_job_of_a_sweep(tmp_path: Path) -> None:
    assert helped(tmp_path, "train.py", "-m", "data.ratio=0,1k") == helped(tmp_path, "train.py")


@pytest.mark.parametrize("printing", [["--help"], ["--cfg", "job"]])
@pytest.mark.parametrize(
    ("override", "problem"), [("data.rato=0", "data.rato: unknown key"), ("data=foo", "data=foo: no such choice")]
)
def test_what_hydra_could_not_print_is_one_message(printing: list[str], override: str, problem: str) -> None:
    run = Forked("train.py", [override, *printing], ROOT, outside()).wait()
    assert run.returncode == 1
    assert run.stderr.startswith(f"The configuration has a problem:\n  - {problem}")
    assert "Error" not in run.stderr


def test_an_invalid_config_is_printed(command: Command) -> None:
    assert "max_epochs: 0" in command("train.py", "trainer.max_epochs=0", "--cfg", "job").stdout


def test_help_of_the_installed_command_shows_it_as_it_is_typed(command: Command) -> None:
    assert "\n  coig judge study=mine\n" in command("coig/__main__.py", "judge", "--help").stdout
