"""Read a packed study: one zip archive with all that an evaluation reads, and nothing that could run.

Only files with names of a fixed list are taken from it. Loggers are removed from the arms' settings, as they name what
is called. It is unpacked once, into `packed/<study>`.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from coig.config.fields import FolderName
from coig.errors import ConfigError, DataError, first_line
from coig.files.atomic import atomic_folder, naming, sha256_of
from coig.files.limits import UnpackedSize, parse_json, read_lines
from coig.records.judgment_database import DATABASE, TABLES
from coig.records.record import Record, describe_error
from coig.study.arm import Arm
from coig.web.database import open_database

PACKED = Path("packed")  # the folder of unpacked studies, relative to the working directory
MARK = ".pack"  # a file in an unpacked study: the sha256 of its archive
ABOUT, PEOPLE = "pack.json", "people.jsonl"
FORMAT = 1
LARGEST_ABOUT = 1_000_000  # bytes of `pack.json`, which takes a hundred
NAME = r"[^./\\:\0][^/\\:\0]{0,99}"
COPIED = re.compile(rf"plan\.yaml|(judgments|judgments/yardstick|labels)/{NAME}\.jsonl")
ANSWERS = rf"(points/step-[0-9]{{8}}/)?generations/{NAME}\.jsonl"
OF_ARM = re.compile(rf"({NAME})/(config\.yaml|manifest\.json|metrics\.jsonl|{ANSWERS})")
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
            names = _list_members(file, archive)
            with atomic_folder(study) as folder:
                _write(file, archive, names, folder, about.study)
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
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in archive.infolist()):
        raise DataError(f"{file}: is no packed study (compressed in another way than pack does)")  # read without bounds
    content = b"{}"
    if ABOUT in archive.namelist():
        with archive.open(ABOUT) as stream:  # the size that the archive states may be wrong
            content = stream.read(LARGEST_ABOUT + 1)
    if len(content) > LARGEST_ABOUT:
        raise DataError(f"{file}: is no packed study ({ABOUT}: more than {LARGEST_ABOUT / 1e6:.0f} MB)")
    try:
        about = About.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"{file}: is no packed study ({ABOUT}: {describe_error(error)})") from None
    if about.format > FORMAT:
        raise DataError(f"{file}: is of format {about.format}, this version of coig reads up to {FORMAT}; update coig")
    return about


def _list_members(file: Path, archive: zipfile.ZipFile) -> list[str]:
    """Return the sorted names of an archive's files, without `pack.json` and those that are only for readers.

    Raises DataError for a file that a packed study cannot have, such as one outside its folder, and for files that
    unpack to more than `coig.files.limits` allows.
    """
    names, unpacked = set(), UnpackedSize(file)
    for member in archive.infolist():
        name = member.filename
        if name == ABOUT or FOR_READERS.fullmatch(name):
            continue
        if name in names or not (name == PEOPLE or COPIED.fullmatch(name) or OF_ARM.fullmatch(name)):
            raise DataError(f"{file}: holds {name!r}, which no packed study has")
        unpacked.add(member.file_size)  # zipfile unpacks no more than this
        names.add(name)
    return sorted(names)


def _write(file: Path, archive: zipfile.ZipFile, names: Iterable[str], folder: Path, study: str) -> None:
    """Write a packed study's files into a folder; settings and manifests are read, checked and written anew."""
    arms = set()
    for name in names:
        if name == PEOPLE:
            _write_database(file, archive, folder / DATABASE)
            continue
        _copy_text(file, archive, name, folder / name)
        if found := OF_ARM.fullmatch(name):
            arms.add(folder / found[1])
    for arm in map(Arm, sorted(arms)):
        _check_arm(file, arm, study)


def _copy_text(file: Path, archive: zipfile.ZipFile, name: str, target: Path) -> None:
    """Write a file of an archive to `target`, piece by piece. Raises DataError if it is no UTF-8."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(name) as packed, naming(target), target.open("w", encoding="utf-8", newline="") as stream:
            shutil.copyfileobj(io.TextIOWrapper(packed, encoding="utf-8", newline=""), stream)
    except UnicodeDecodeError:
        raise DataError(f"{file}: {name} is no UTF-8") from None


def _check_arm(file: Path, arm: Arm, study: str) -> None:
    """Read an unpacked arm's settings and manifest, and write the settings anew, without the logger.

    Raises DataError, which names the archive, if one of them is damaged or of another arm.
    """
    try:
        arm.write_config(arm.config().model_copy(update={"logger": None}))
        manifest = arm.manifest()
    except ConfigError as error:
        told, _, remedy = str(error).replace(f"{arm.folder.parent}{os.sep}", "").rpartition("; ")
        # the remedy of an arm that was trained here helps nobody who was sent one
        raise DataError(f"{file}: {told}; {'have it sent again' if 'overwrite=true' in remedy else remedy}") from None
    if (manifest.study, manifest.arm) != (study, arm.name):
        raise DataError(f"{file}: {arm.name}/manifest.json is of {manifest.study}/{manifest.arm}; have it sent again")


def _write_database(file: Path, archive: zipfile.ZipFile, database: Path) -> None:
    """Make a database of people's judgments from an archive's lines {table, row}. Raises DataError for others."""
    opened, place = open_database(database, TABLES), Path(f"{file}: {PEOPLE}")
    try:
        with archive.open(PEOPLE) as packed, opened.writing() as connection:
            for number, line in read_lines(packed, place):
                try:
                    row = parse_json(line.decode())
                    connection.execute(insert(TABLES.tables[_known_table(row)]), row["row"])
                except (KeyError, TypeError, ValueError, SQLAlchemyError) as error:
                    raise DataError(f"{place}:{number}: cannot be read ({type(error).__name__})") from None
    finally:
        opened.close()


def _known_table(row: Any) -> str:
    """Return the name of the table that a line {table, row} is for.

    Raises ValueError if a packed study has no such table, KeyError or TypeError if the line names none.
    """
    if row["table"] not in PACKED_TABLES:
        raise ValueError(row["table"])
    return str(row["table"])
