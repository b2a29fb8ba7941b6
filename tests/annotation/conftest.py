"""Places for databases: a file of SQLite, and a real PostgreSQL where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.annotation.browsing import SETTINGS, Served, write_answers
from tests.browsers import browser as browser
from tests.forked import PATIENCE

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
USER = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # PostgreSQL refuses to run as root


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a PostgreSQL that listens on a socket in a temporary folder; return its URL without a database."""
    if PROGRAMS is None or (USER and shutil.which("runuser") is None):
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    folder = Path(subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip())
    if USER:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    initdb = [str(PROGRAMS / "initdb"), "--auth=trust", "--no-sync", "--username=postgres", "--pgdata", str(data)]
    subprocess.run([*USER, *initdb], check=True, capture_output=True, cwd=folder)
    control = [*USER, str(PROGRAMS / "pg_ctl"), "--pgdata", str(data), "--wait", "--timeout", str(PATIENCE)]
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"  # the tests kill servers, not the machine
    subprocess.run([*control, "--options", options, "--log", str(folder / "log"), "start"], check=True, cwd=folder)
    yield f"postgresql+psycopg://postgres@/{{}}?host={folder}"
    subprocess.run([*control, "--mode", "immediate", "stop"], check=True, capture_output=True, cwd=folder)
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where a new database is: a file, or the URL of an empty database in PostgreSQL."""
    if request.param == "sqlite":
        return tmp_path / "judgments.sqlite"
    import psycopg

    url: str = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url.format("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.format(name)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a study to tests that each are another rater."""
    folder = tmp_path_factory.mktemp("shared")
    write_answers(folder)
    found = Served(folder, *SETTINGS)
    yield found
    found.kill()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve a study to one test."""
    write_answers(tmp_path)
    found = Served(tmp_path, *SETTINGS)
    yield found
    found.kill()
