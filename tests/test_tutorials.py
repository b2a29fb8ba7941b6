"""docs/tutorials/: the commands run, one page after another in one folder, at reduced length (slow)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.browsers import Process
from tests.conftest import ROOT, outside
from tests.test_docs import commands, commands_of_demo, text_of

TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = ("demo", "own_data", "human_study", "curation")  # in this order: a human study needs the demo's answers
REDUCED = {"train.py": ("length=fast",), "generate.py": ("sampling.max_new_tokens=8",)}
SAVED = re.compile(r"`(\w+\.jsonl)`[^`\n]*:\n\n```json\n(.*?)```", re.DOTALL)
PATIENCE = 300  # seconds for one command


def needs_more(page: Path) -> bool:
    """Tell whether a page begins by saying what it needs that a machine for tests lacks."""
    return bool(re.match(r"# .+\n\n\*Needs ", text_of(page)))


def test_only_pages_that_say_so_are_not_run() -> None:
    assert {page.stem for page in TUTORIALS.glob("*.md") if not needs_more(page)} == set(PAGES)


def test_tutorials_are_short() -> None:
    assert [page.name for page in TUTORIALS.glob("*.md") if len(text_of(page).splitlines()) > 60] == []


@pytest.mark.slow
def test_tutorials_run(tmp_path: Path) -> None:
    for name in PAGES:
        page = TUTORIALS / f"{name}.md"
        for file, rows in SAVED.findall(text_of(page)):
            (tmp_path / file).write_text(rows, encoding="utf-8")
        for words in commands(page):
            if words[:2] == ["make", "demo"]:
                for script, *arguments in commands_of_demo():
                    run_or_open([script, *arguments], tmp_path)
            elif words[0] == "python":
                run_or_open(words[1:], tmp_path)
            else:
                assert words == ["source", ".venv/bin/activate"]
    assert (tmp_path / "multirun" / "demo" / "evaluation" / "report.html").is_file()
    assert (tmp_path / "multirun" / "curated" / "cw" / "model").is_dir()


def run_or_open(words: Sequence[str], folder: Path) -> None:
    """Run a command of Python; if it serves a page, open the page of the first link that it prints, and end it."""
    script, *arguments = words
    if script == "-m":
        run(words, folder)
    elif script == "annotate.py" and not any(word.startswith("export=") for word in arguments):
        open_page(Process(folder, script, *arguments, "port=0", last=" to judge"))
    elif script == "curate.py" and "stage=write" in arguments:
        open_page(Process(folder, script, *arguments, "port=0", last="Ctrl-C"))
    else:
        run([str(ROOT / script), *reduced(script, arguments)], folder)


def open_page(process: Process) -> None:
    """Assert that the first of a served page's links opens, then end the process."""
    try:
        assert httpx.get(next(iter(process.links.values())), follow_redirects=True).status_code == 200
    finally:
        process.kill()


def reduced(script: str, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a command with those that make it short."""
    short = REDUCED.get(script, ())
    given = {word.partition("=")[0] for word in short}
    return [*(word for word in arguments if word.partition("=")[0] not in given), *short]


def run(words: Sequence[str], folder: Path) -> None:
    """Run Python with these arguments in a folder. Raises AssertionError with its output if it fails."""
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=outside(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
