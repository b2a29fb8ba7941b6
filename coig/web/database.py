"""Open the database of a page: SQLite in a file, or PostgreSQL by its URL."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError

from coig.errors import FULL, ConfigError, first_line

PATIENCE = 30  # seconds that a transaction waits for another process's
THREADS = 40  # as many as serve requests at once
WRITES = "coig_writes"  # the execution option of connections that write
LOCK = 2510_14763  # PostgreSQL's advisory lock of the one writer
PRAGMAS = (
    f"PRAGMA busy_timeout={1000 * PATIENCE}",  # first, since the others may have to wait, too
    "PRAGMA journal_mode=WAL",  # readers do not wait for the writer
    "PRAGMA synchronous=FULL",  # a committed transaction survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is erased is overwritten
    "PRAGMA trusted_schema=OFF",  # a file may come from anyone, and its schema may not call functions
)
DAMAGED = "damaged ({}); bring the file back from a copy"
PROBLEMS = {  # SQLite's words → what is wrong, and what helps
    r"malformed|not a database|no such (table|column)|unsupported file format|not decode": DAMAGED,
    r"disk is full": f"cannot be written ({{}}); {FULL}",
    r"disk I/O error": f"cannot be read or written ({{}}); {FULL}, or the disk fails",
    r"readonly|unable to open": "cannot be written ({}); make the file and its folder writable",
    r"database is locked": "another program uses it ({}); end that, and run the same command again",
}


class Database:
    """A database in which one transaction at a time writes, while others read."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._turn = threading.Lock()  # the threads of one process wait here rather than in the database

    @property
    def name(self) -> str:
        """Return the database's URL without its password, for messages."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection whose reads all see one state of the database. Raises ConfigError if it is damaged."""
        # PostgreSQL's default shows each statement a newer state; a writer needs that, as it first waits for its turn
        level = {"isolation_level": "REPEATABLE READ"} if self.engine.name == "postgresql" else {}
        with self._explain_errors(), self.engine.connect().execution_options(**level) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Wait until no one else writes, and yield a connection; commit when the block ends, roll back if it raises.

        Raises ConfigError if the database is damaged.
        """
        with (
            self._turn,
            self._explain_errors(),
            self.engine.connect().execution_options(**{WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Turn one of PROBLEMS in the block, or an error of a value that is not UTF-8 or JSON, into ConfigError."""
        try:
            yield
        except DatabaseError as error:
            said = first_line(error.orig or error)
            remedy = next((remedy for words, remedy in PROBLEMS.items() if re.search(words, said)), None)
            if remedy is None:
                raise
            raise ConfigError(f"{self.name}: {remedy.format(said)}") from None
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ConfigError(f"{self.name}: {DAMAGED.format(first_line(error))}") from None

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_database(place: Path | str, tables: MetaData) -> Database:
    """Open a database, make its file if it is missing, and create the tables that it lacks.

    Args:
        place: the file of a SQLite database, in a folder that exists, or the URL of a PostgreSQL one, such as
            `postgresql+psycopg://host/name`.

    Raises ConfigError if the database cannot be opened or is damaged; the message has no password.
    """
    if isinstance(place, Path):
        place.touch(mode=0o600)  # it holds names; an empty file is an empty database
    url = f"sqlite:///{place}" if isinstance(place, Path) else place
    try:
        known = make_url(url)
        postgresql = known.get_backend_name() == "postgresql"
        if not postgresql and known.get_backend_name() != "sqlite":
            raise ConfigError(f"database: {known.get_backend_name()} is not supported; give a URL of PostgreSQL")
        engine = create_engine(known, pool_size=THREADS, max_overflow=0)
        event.listen(engine, "begin", _begin_postgresql if postgresql else _begin_sqlite)
        if not postgresql:
            event.listen(engine, "connect", _prepare_sqlite)
        database = Database(engine)
        if not postgresql:
            with database.reading() as connection:  # in a large file this takes a while, and others go on writing
                _check_sqlite(connection, database.name)
        with database.writing() as connection:
            tables.create_all(connection)
    except (ArgumentError, NoSuchModuleError, ImportError):
        raise ConfigError(
            "database: is no URL of PostgreSQL such as postgresql+psycopg://user@host/name, or psycopg is not "
            "installed: pip install 'coig[postgresql]'"
        ) from None
    except DBAPIError as error:
        shown = known.render_as_string(hide_password=True)
        raise ConfigError(f"database={shown}: cannot be opened ({first_line(error.orig or error)})") from None
    return database


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Set up a new connection of SQLite; `_begin_sqlite` begins its transactions."""
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _check_sqlite(connection: Connection, name: str) -> None:
    """Raise ConfigError if a database's file is damaged, so that rows would be missing or empty where none may be."""
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    if found != "ok":
        raise ConfigError(f"{name}: {DAMAGED.format(found.splitlines()[-1])}")


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; one that writes takes the write lock at once, so that it never fails midway."""
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """Let a transaction that writes wait until no other one writes; do nothing for one that reads."""
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
