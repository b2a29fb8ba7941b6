"""Write and delete files and folders atomically, read JSON lines, hash files."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coig.errors import DataError
from coig.files.limits import parse_json, read_lines


def read_jsonl(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text without line break) of a file's lines, which are not parsed.

    Skips a last line without line break, which a killed process leaves. Splits at "\\n" only, since texts may contain
    other separators such as U+2028. Raises DataError for a line that is not UTF-8 or larger than a row may be.
    """
    with path.open("rb") as stream:
        for number, line in read_lines(stream, path):
            if not line.endswith(b"\n"):
                continue
            try:
                yield number, line[:-1].decode()
            except UnicodeDecodeError as error:
                raise DataError(f"{path}:{number}: is no UTF-8 ({error}); mend or remove the line") from None


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, object) of a file of JSON objects, one a line, as `read_jsonl` splits it.

    Raises DataError for a line that is no JSON object.
    """
    for number, line in read_jsonl(path):
        yield number, parse_object(line, path, number)


def parse_object(line: str, path: Path, number: int) -> dict[str, Any]:
    """Return the JSON object in a line of a file, whose number is only for the message.

    Raises DataError if the line is no JSON object.
    """
    try:
        found = parse_json(line)
    except ValueError as error:
        raise DataError(f"{path}:{number}: damaged ({error}); mend or remove the line") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}:{number}: is no JSON object; mend or remove the line")
    return found


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, under a temporary name and rename it; if `path` is a link, replace its target.

    Makes missing folders.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with naming(path):
            partial.write_bytes(content.encode() if isinstance(content, str) else content)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # left if the disk was full


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Set `path` as the file name of an OSError that the block raises, since a failed write gives none."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `path`, or its target if it is a link, when the block succeeds.

    If the block fails, the temporary folder is deleted and `path` stays as it was.

    Deletes temporary folders that killed processes have left, so only one process at a time may write to `path`.
    """
    path = path.resolve()
    for killed in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(killed)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove(paths: Iterable[Path]) -> None:
    """Delete files, links and empty folders in the given order; skip missing paths and folders that are not empty."""
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        elif not any(path.iterdir()):
            path.rmdir()


def remove_folder(path: Path) -> None:
    """Delete a folder and all in it; for a link, delete both the link and its target. A missing folder is no error."""
    if path.exists():
        shutil.rmtree(path.resolve())
    if path.is_symlink():
        path.unlink()


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
