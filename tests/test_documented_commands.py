"""README.md and docs/: every command is run at reduced length (slow), or tests/documented.py says why it is not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import httpx
import pytest

from coig.study.arm import Arm
from tests.browsers import Process
from tests.conftest import ROOT, Command, command_in
from tests.documented import (
    DOCS,
    NOT_RUN,
    SHOWN,
    STUDIES,
    Session,
    scripts_of,
    sessions,
    shortened,
    unsaid,
    write_files,
)
from tests.forked import PATIENCE, free_port
from tests.test_docs import PAGES, commands, commands_of_demo, text_of

Prepare = Callable[[str], Path]


def test_every_command_is_run_or_has_a_reason() -> None:
    for session in sessions():
        for words in session.commands:
            assert list(scripts_of(words))


def test_reasons_are_of_commands_that_exist() -> None:
    lines = {" ".join(words) for page in PAGES for words in commands(page)}
    for pattern, reason in NOT_RUN.items():
        assert any(re.fullmatch(pattern, line) for line in lines), pattern
        assert all((ROOT / file).is_file() for file in re.findall(r"tests/[\w/]+\.py", reason)), reason


def test_pages_say_what_commands_need() -> None:
    assert [one for page in PAGES for one in unsaid(page)] == []


def test_tutorials_are_short() -> None:
    tutorials = (DOCS / "tutorials").glob("*.md")
    assert [page.name for page in tutorials if len(text_of(page).splitlines()) > 60] == []


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Return a function that trains a study of STUDIES, lets it answer, and returns its folder."""
    folder = tmp_path_factory.mktemp("prepared")
    command = command_in(folder, tmp_path_factory.mktemp("home"))
    write_files(folder)

    @cache
    def prepare(study: str) -> Path:
        if study == "demo":
            for script, *arguments in commands_of_demo()[:-1]:
                run(command, folder, script, shortened(script, arguments))
            judged = "judgments=[ann.jsonl,bob.jsonl,multirun/demo/judgments/local.jsonl]"
            run(command, folder, "evaluate.py", ["study=demo", judged])
        else:
            training = ["-m", f"study={study}", *STUDIES[study]]
            run(command, folder, "train.py", shortened("train.py", training))
            for queries in ("sample", "held_out"):
                answering = [f"study={study}", f"queries={queries}"]
                run(command, folder, "generate.py", shortened("generate.py", answering))
        return folder / "multirun" / study

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize("session", sessions(), ids=lambda session: session.name)
def test_session_runs(session: Session, prepare: Prepare, command: Command, tmp_path: Path) -> None:
    write_files(tmp_path)
    for study in session.studies:
        shutil.copytree(prepare(study), tmp_path / "multirun" / study)
    for words in session.commands:
        for script, arguments in scripts_of(words):
            run(command, tmp_path, script, arguments)
    arms = [Arm(file.parent) for file in tmp_path.glob("multirun/*/*/manifest.json")]
    assert [arm.name for arm in arms if arm.manifest().status != "done"] == []


def run(command: Command, folder: Path, script: str, arguments: list[str]) -> None:
    """Run a script; if it serves a page, open the first link that it prints, and end it."""
    if script == "annotate.py" and not re.search(r"\berase=", " ".join(arguments)):
        port = free_port()
        given = [f"base_url=http://127.0.0.1:{port}"] if any(word.startswith("base_url=") for word in arguments) else []
        open_page(Process(folder, script, *arguments, f"port={port}", *given, last=" to judge"))
    elif script == "curate.py" and "stage=write" in arguments:
        open_page(Process(folder, script, *arguments, "port=0", last="Ctrl-C"))
    else:
        fresh = any(word.startswith("launcher=") for word in arguments)
        done = command(script, *arguments, fresh=fresh)
        line, printed = " ".join([script, *arguments]), done.stdout + done.stderr
        assert done.returncode == 0, f"{line}\n{printed[-3000:]}"
        shown = next(shown for pattern, shown in SHOWN.items() if re.fullmatch(pattern, line))
        assert re.search(shown, printed), f"{line}: shows no {shown}\n{printed[-3000:]}"


def open_page(process: Process) -> None:
    """Assert that the first of a served page's links opens, then end the process."""
    try:
        assert httpx.get(next(iter(process.links.values())), follow_redirects=True, timeout=PATIENCE).status_code == 200
    finally:
        process.kill()
