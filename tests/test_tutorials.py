"""docs/tutorials/: the commands run, one page after another in one folder, at reduced length (slow)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.browsers import Process
from tests.conftest import ROOT, Command
from tests.forked import PATIENCE
from tests.test_docs import commands, commands_of_demo, text_of

TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = ("demo", "own_data", "human_study", "curation")  # in this order: a human study needs the demo's answers
REDUCED = {"train.py": ("length=fast",), "generate.py": ("sampling.max_new_tokens=8",)}
SAVED = re.compile(r"`(\w+\.jsonl)`[^`\n]*:\n\n```json\n(.*?)```", re.DOTALL)


def needs_more(page: Path) -> bool:
    """Tell whether a page begins by saying what it needs that a machine for tests lacks."""
    return bool(re.match(r"# .+\n\n\*Needs ", text_of(page)))


def test_only_pages_that_say_so_are_not_run() -> None:
    assert {page.stem for page in TUTORIALS.glob("*.md") if not needs_more(page)} == set(PAGES)


def test_tutorials_are_short() -> None:
    assert [page.name for page in TUTORIALS.glob("*.md") if len(text_of(page).splitlines()) > 60] == []


@pytest.mark.slow
def test_tutorials_run(command: Command, tmp_path: Path) -> None:
    for name in PAGES:
        page = TUTORIALS / f"{name}.md"
        for file, rows in SAVED.findall(text_of(page)):
            (tmp_path / file).write_text(rows, encoding="utf-8")
        for words in commands(page, sentences=False):
            if words[:2] == ["make", "demo"]:
                for script, *arguments in commands_of_demo():
                    run(command, tmp_path, script, arguments)
            elif words[:2] == ["python", "-m"]:
                run(command, tmp_path, module_file(words[2]), words[3:])
            elif words[0] == "python":
                run(command, tmp_path, words[1], words[2:])
            else:
                assert words == ["source", ".venv/bin/activate"]
    assert (tmp_path / "multirun" / "demo" / "evaluation" / "report.html").is_file()
    assert (tmp_path / "multirun" / "curated" / "cw" / "model").is_dir()


def run(command: Command, folder: Path, script: str, arguments: Sequence[str]) -> None:
    """Run a script at reduced length; if it serves a page, open the first link that it prints, and end it."""
    if script == "annotate.py":
        open_page(Process(folder, script, *arguments, "port=0", last=" to judge"))
    elif script == "curate.py" and "stage=write" in arguments:
        open_page(Process(folder, script, *arguments, "port=0", last="Ctrl-C"))
    else:
        short = REDUCED.get(script, ())
        given = {word.partition("=")[0] for word in short}
        done = command(script, *(word for word in arguments if word.partition("=")[0] not in given), *short)
        assert done.returncode == 0, f"{script} {' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def module_file(module: str) -> str:
    """Return the file, from the repository's root, that `python -m` runs for a module or a package."""
    path = module.replace(".", "/")
    return f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py"


def open_page(process: Process) -> None:
    """Assert that the first of a served page's links opens, then end the process."""
    try:
        assert httpx.get(next(iter(process.links.values())), follow_redirects=True, timeout=PATIENCE).status_code == 200
    finally:
        process.kill()
