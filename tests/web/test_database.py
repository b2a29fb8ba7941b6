"""What can be wrong with a database is one clear message, without a password."""

from __future__ import annotations

import resource
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, Table, insert, select

from coig.errors import ConfigError
from coig.web.database import Database, open_database

TABLES = MetaData()
NUMBERS = Table("numbers", TABLES, Column("number", Integer, primary_key=True))


def test_what_is_written_is_there_and_what_fails_is_not(tmp_path: Path) -> None:
    database = open_database(tmp_path / "numbers.sqlite", TABLES)
    with database.writing() as connection:
        connection.execute(insert(NUMBERS).values(number=1))

    def fail_midway() -> None:
        with database.writing() as connection:
            connection.execute(insert(NUMBERS).values(number=2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_midway()
    with database.reading() as connection:
        assert connection.execute(select(NUMBERS.c.number)).scalars().all() == [1]
    database.close()
    assert stat.S_IMODE((tmp_path / "numbers.sqlite").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "no URL of PostgreSQL"),
        ("mysql://me:secret@host/name", "not supported|no URL"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/name", "cannot be opened"),
        ("postgresql+nothing://me:secret@host/name", "no URL of PostgreSQL"),
    ],
)
def test_a_database_that_is_not_there(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_database(url, TABLES)
    assert "secret" not in str(caught.value)


def write_many(database: Database, first: str = "", largest: int | None = None) -> None:
    """Write 50,000 rows after a first statement; no file may grow beyond `largest` bytes before they are committed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with database.writing() as connection:
            connection.exec_driver_sql(first or "SELECT 1")
            connection.execute(insert(NUMBERS), [{"number": number} for number in range(50_000)])
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest or soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_keeps_a_database_from_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coig.web.database.PRAGMAS", ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=10"))
    database = open_database(tmp_path / "numbers.sqlite", TABLES)
    with pytest.raises(ConfigError, match=r"cannot be read or written \(disk I/O error\); make room .*the disk fails"):
        write_many(database, largest=1000)
    with pytest.raises(ConfigError, match=r"cannot be written \(database or disk is full\); make room there"):
        write_many(database, "PRAGMA max_page_count=2")
    other = sqlite3.connect(tmp_path / "numbers.sqlite")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConfigError, match=r"another program uses it \(database is locked\)"):
        write_many(database)
    other.close()
    with pytest.raises(ConfigError, match="make the file and its folder writable"):
        write_many(database, "PRAGMA query_only=ON")
    with database.reading() as connection:
        assert connection.execute(select(NUMBERS.c.number)).scalars().all() == []
    database.close()


@pytest.mark.parametrize(
    ("value", "is_required", "message"),
    [
        (None, True, "NULL value in words.word"),  # found as it is opened
        ("{", False, r"damaged \(Expecting property name"),
        (b"\xff", False, r"damaged \(.*decode"),
    ],
)
def test_a_damaged_value(value: Any, is_required: bool, message: str, tmp_path: Path) -> None:
    tables = MetaData()
    words = Table("words", tables, Column("word", JSON))
    with sqlite3.connect(tmp_path / "words.sqlite") as raw:
        raw.execute("CREATE TABLE words (word JSON)")
        raw.execute("INSERT INTO words VALUES (CAST(? AS TEXT))", [value])
        if is_required:
            raw.execute("PRAGMA writable_schema=ON")
            raw.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE words (word JSON NOT NULL)'")
    raw.close()

    def read() -> None:
        """Open the database and read what it holds."""
        database = open_database(tmp_path / "words.sqlite", tables)
        with database.reading() as connection:
            connection.execute(select(words)).all()

    with pytest.raises(ConfigError, match=message):
        read()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "judgments.sqlite"
    file.write_text("This is a text, and no database of any kind. " * 50)
    with pytest.raises(ConfigError, match="file is not a database"):
        open_database(file, TABLES)
