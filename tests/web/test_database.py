"""What can be wrong with a database is one clear message, without a password."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from coig.errors import ConfigError
from coig.web.database import open_database

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


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "judgments.sqlite"
    file.write_text("This is a text, and no database of any kind. " * 50)
    with pytest.raises(ConfigError, match="file is not a database"):
        open_database(file, TABLES)
