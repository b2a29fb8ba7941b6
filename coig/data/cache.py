"""`data.cache`: folders named by a hash of their inputs and code, each written by one process at a time."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from polars.exceptions import PolarsError

from coig.errors import DataError
from coig.files.atomic import sha256_of
from coig.files.lock import LockHeldError, locked

PATIENCE = 3 * 3600  # seconds for another process that prepares the same data
Item = TypeVar("Item")


def key_of(made_of: Any, *makers: Callable[..., Any]) -> str:
    """Return a cache key: a hash of a result's inputs and of the source code that computes it.

    Args:
        made_of: the inputs, as JSON types.
        makers: the functions; the whole source files that define them are hashed.
    """
    modules = {module for maker in makers if (module := inspect.getsourcefile(maker))}
    code = sorted(content_sha256(Path(module)) for module in modules)
    return hashlib.sha256(json.dumps([made_of, code]).encode()).hexdigest()[:32]


def content_sha256(file: Path) -> str:
    """Return the sha256 of a file's content; this process reads an unchanged file only once."""
    status = file.stat()
    return _hash_file(file, (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))


@cache
def _hash_file(file: Path, status: tuple[int, ...]) -> str:
    """Return a file's sha256; `status` (size, times, inode) only tells the function's cache when to read it again."""
    return sha256_of(file)


def batched(items: Iterable[Item], size: Callable[[Item], int], limit: int) -> Iterator[list[Item]]:
    """Yield items in lists; each but the last ends with the item that brings its total size to `limit` or above."""
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= limit:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


@contextmanager
def locked_for_building(folder: Path) -> Iterator[None]:
    """Hold the lock on `folder` during the block, which builds it; other processes wait. A killed process releases it.

    Creates the parent folder. Raises DataError if another process holds the lock for `PATIENCE` seconds, or in place of
    any OSError or PolarsError of the block.
    """
    lock = folder.with_suffix(".lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock, PATIENCE):
            yield
    except LockHeldError as error:
        raise DataError(
            f"data.cache: {folder} is being prepared by {error}; if that has ended, delete {lock}"
        ) from None
    except (OSError, PolarsError) as error:
        raise DataError(f"data.cache: {folder} cannot be written ({error}); set data.cache to another folder") from None
