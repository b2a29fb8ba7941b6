"""Files and folders that are whole or not there at all, and reading JSON lines."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coig.errors import DataError


def read_jsonl(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of every whole line; a piece at the end, which a kill may leave, is not one.

    Texts may hold U+2028 and its like, at which `str.splitlines` would break. Raises DataError for a line that is no
    UTF-8.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                continue
            try:
                yield number, line[:-1].decode()
            except UnicodeDecodeError as error:
                raise DataError(f"{path}:{number}: is no UTF-8 ({error}); mend or remove the line") from None


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name and rename it; where `path` is a link, write the file that it names."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with naming(path):
            partial.write_bytes(content.encode() if isinstance(content, str) else content)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # of a full disk, say


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in an error that the block meets: of a write that fails the system does not."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to fill that takes the place of `path`, or of the folder that it links to, once the block ends
    well."""
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
    """Delete files, links, and folders that are empty by then."""
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        elif not any(path.iterdir()):
            path.rmdir()


def remove_folder(path: Path) -> None:
    """Delete a folder; of a link, both the link and the folder that it names."""
    if path.exists():
        shutil.rmtree(path.resolve())
    if path.is_symlink():
        path.unlink()


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
