"""Read a packed study: one zip archive with all that an evaluation reads, and nothing that could run.

Only files with names of a fixed list are taken from it. Loggers are removed from the arms' settings, as they name what
is called. It is unpacked once, into `packed/<study>`.
"""

from __future__ import annotations

import errno
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from coig.config.fields import FolderName
from coig.errors import ConfigError, DataError, first_line
from coig.files.atomic import atomic_folder, sha256_of, write_atomic
from coig.records.judgment_database import DATABASE, TABLES
from coig.records.record import Record, describe_error
from coig.study.arm import Arm
from coig.web.database import open_database

PACKED = Path("packed")  # the folder of unpacked studies, relative to the working directory
MARK = ".pack"  # a file in an unpacked study: the sha256 of its archive
ABOUT, PEOPLE = "pack.json", "people.jsonl"
FORMAT = 1
LARGEST = 2**31  # bytes of all files together, unpacked
NAME = r"[^./\\:\0][^/\\:\0]{0,99}"
COPIED = re.compile(rf"plan\.yaml|(judgments|judgments/yardstick|labels)/{NAME}\.jsonl")
OF_ARM = re.compile(rf"({NAME})/(config\.yaml|manifest\.json|metrics\.jsonl|generations/{NAME}\.jsonl)")
FOR_READERS = re.compile(rf"evaluation/({NAME}/)?{NAME}")  # stays in the archive: evaluate.py makes it again
PACKED_TABLES = ("settings", "raters", "tasks", "events")  # in the order in which they refer to each other


class About(Record):
    """What `pack.json` says of a packed study."""

    format: int = Field(ge=1)
    study: FolderName
    coig: str  # version that packed it


def unpack(file: Path) -> Path:
    """Unpack a study's archive, unless that is done already, and return the study's folder `packed/<study>`.

    Raises ConfigError or DataError if it is no packed study, holds anything else, or if the folder is another's.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            about = _read_about(file, archive)
            study, digest = PACKED / about.study, sha256_of(file)
            if (study / MARK).exists() and (study / MARK).read_text(encoding="utf-8") == digest:
                return study
            if study.exists():
                raise ConfigError(f"{study}: is there already and not from {file}; move it away, then run again")
            contents = _read_members(file, archive)
            with atomic_folder(study) as folder:
                _write(file, folder, about.study, contents)
                (folder / MARK).write_text(digest, encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except ConfigError:
        raise
    except Exception as error:  # a damaged archive may raise anything, such as EINVAL for a place that cannot be
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise DataError(f"{file}: is no packed study, or damaged ({first_line(error)}); have it sent again") from None
    return study


def _read_about(file: Path, archive: zipfile.ZipFile) -> About:
    """Return what an archive says of itself. Raises DataError if it is no packed study that this version reads."""
    try:
        about = About.model_validate_json(archive.read(ABOUT) if ABOUT in archive.namelist() else b"{}")
    except ValidationError as error:
        raise DataError(f"{file}: is no packed study ({ABOUT}: {describe_error(error)})") from None
    if about.format > FORMAT:
        raise DataError(f"{file}: is of format {about.format}, this version of coig reads up to {FORMAT}; update coig")
    return about


def _read_members(file: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the texts of an archive's files by name, without those that are only for readers.

    Raises DataError for a file that a packed study cannot have, such as one outside its folder, and for too much.
    """
    members = archive.infolist()
    if sum(member.file_size for member in members) > LARGEST:
        raise DataError(f"{file}: holds more than {LARGEST / 1e9:.0f} GB, so it is no packed study")
    contents: dict[str, str] = {}
    for name in (member.filename for member in members):
        if name == ABOUT or FOR_READERS.fullmatch(name):
            continue
        if name in contents or not (name == PEOPLE or COPIED.fullmatch(name) or OF_ARM.fullmatch(name)):
            raise DataError(f"{file}: holds {name!r}, which no packed study has")
        try:
            contents[name] = archive.read(name).decode()
        except UnicodeDecodeError:
            raise DataError(f"{file}: {name} is no UTF-8") from None
    return contents


def _write(file: Path, folder: Path, study: str, contents: Mapping[str, str]) -> None:
    """Write a packed study's files into a folder; settings and manifests are read, checked and written anew."""
    for name, content in contents.items():
        if name != PEOPLE:
            write_atomic(folder / name, content)
    for arm in map(Arm, sorted({folder / found[1] for name in contents if (found := OF_ARM.fullmatch(name))})):
        arm.write_config(arm.config().model_copy(update={"logger": None}))
        manifest = arm.manifest()
        if (manifest.study, manifest.arm) != (study, arm.name):
            raise DataError(f"{file}: {arm.name}/manifest.json is of {manifest.study}/{manifest.arm}")
    if PEOPLE in contents:
        _write_database(f"{file}: {PEOPLE}", folder / DATABASE, contents[PEOPLE])


def _write_database(place: str, database: Path, content: str) -> None:
    """Make a database of people's judgments from lines {table, row}. Raises DataError, naming `place`, for others."""
    opened = open_database(database, TABLES)
    try:
        with opened.writing() as connection:
            for number, line in enumerate(content.splitlines(), 1):
                try:
                    row = json.loads(line)
                    connection.execute(insert(TABLES.tables[_known_table(row)]), row["row"])
                except (KeyError, TypeError, ValueError, SQLAlchemyError) as error:
                    raise DataError(f"{place}:{number}: cannot be read ({type(error).__name__})") from None
    finally:
        opened.close()


def _known_table(row: Any) -> str:
    """Return the name of a row's table. Raises ValueError if a packed study has no such table."""
    if row["table"] not in PACKED_TABLES:
        raise ValueError(row["table"])
    return str(row["table"])
