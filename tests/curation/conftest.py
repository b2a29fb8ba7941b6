"""An empty folder for every test, and a curation that many begin with."""

from __future__ import annotations

import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from tests.curation.curations import STORY, article, run_to, set_state, write_articles


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, and return it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a curation of one screened article in a folder; return the folder."""
    made = tmp_path_factory.mktemp("made_once")
    with chdir(made):
        write_articles(article(STORY, title="修伞的人"))
        run_to("dedupe")
        set_state("screened")
    return made


@pytest.fixture
def screened(made_once: Path, folder: Path) -> None:
    """Copy that curation into the test's folder."""
    shutil.copytree(made_once, folder, dirs_exist_ok=True)
