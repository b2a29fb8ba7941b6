"""`data.cache`: folders named by what their content was made of, written whole by one process at a time.

What is large is made in batches, so that little of it is in memory.
"""

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
    """A name for what `makers` make of `made_of` (JSON types); it changes with the code of their modules."""
    modules = {module for maker in makers if (module := inspect.getsourcefile(maker))}
    code = sorted(content_sha256(Path(module)) for module in modules)
    return hashlib.sha256(json.dumps([made_of, code]).encode()).hexdigest()[:32]


def content_sha256(file: Path) -> str:
    """sha256 of a file's content; a file that did not change since is not read again by this process."""
    status = file.stat()
    return _hashed(file, (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))


@cache
def _hashed(file: Path, status: tuple[int, ...]) -> str:
    return sha256_of(file)


def batched(items: Iterable[Item], size: Callable[[Item], int], limit: int) -> Iterator[list[Item]]:
    """The items in lists that each end with the item whose size makes the sum reach `limit`."""
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
def building(folder: Path) -> Iterator[None]:
    """Keep other processes from building `folder`; a killed one leaves no lock.

    Raises DataError if the cache cannot be written, or another process builds this folder for hours.
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
