"""One process at a time: a lock file that says who holds it.

The operating system keeps the lock (flock), so a killed process leaves none. Some network file systems have no flock;
there the owner's name in the file is the lock, and the lock of a dead owner is taken over.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from coig.files.processes import start_of
from coig.files.timestamps import now

log = logging.getLogger(__name__)

POLL = 0.2  # seconds
NO_FLOCK = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


class LockHeldError(Exception):
    """A lock that another process holds; the message names it if the lock file does."""


@contextmanager
def locked(file: Path, patience: float = 0) -> Iterator[None]:
    """Hold the lock `file` while the block runs; the file stays afterwards, empty.

    Args:
        patience: seconds to wait while another process holds the lock.

    Raises LockHeldError if the other process still holds it after that.
    """
    descriptor = _wait(file, patience)
    try:
        yield
    finally:
        os.truncate(descriptor, 0)  # an empty file means that nobody holds the lock
        os.close(descriptor)


def describe_holder(file: Path) -> str | None:
    """Return, as words, which process holds a lock, on which host and since when; None if nobody does.

    Does not take the lock. A process on another host counts as alive.
    """
    owner = _read_owner(file)
    return _describe(owner) if owner and not _is_dead(owner) else None


def _wait(file: Path, patience: float) -> int:
    """Acquire the lock, trying again for `patience` seconds, and return the open file's descriptor.

    Logs once that it waits. Raises LockHeldError in the end.
    """
    end, told = time.monotonic() + patience, False
    while True:
        try:
            return _acquire(file)
        except LockHeldError as error:
            if time.monotonic() >= end:
                raise
            if not told:
                log.info("waiting for %s (%s)", error, file)
                told = True
            time.sleep(POLL)


def _acquire(file: Path) -> int:
    """Lock the file by flock, or by `_claim` where that does not work, and return its open descriptor.

    The file then identifies this process. Raises LockHeldError at once if another process has the lock.
    """
    while (descriptor := _lock_open_file(file)) is None:  # its holder deleted the file meanwhile
        pass
    return descriptor


def _lock_open_file(file: Path) -> int | None:
    """Do what `_acquire` does, once; return None if the file that was locked is no longer at this path."""
    with ExitStack() as closing:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        closing.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeldError(_describe(_read_owner(file))) from None
        except OSError as error:
            if error.errno not in NO_FLOCK:
                raise
            return _claim(file)
        if not _is_same(descriptor, file):
            return None
        with suppress(OSError):  # a full disk: flock is the lock, the name only tells others
            os.truncate(descriptor, 0)
            os.write(descriptor, _identify_process())
        closing.pop_all()
        return descriptor


def _is_same(descriptor: int, file: Path) -> bool:
    """Tell whether a path still refers to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _claim(file: Path) -> int:
    """Take the lock where flock does not work: link a file that identifies this process to `file`; open it.

    Replaces a file that is empty or whose owner is dead. Returns the descriptor. Raises LockHeldError if the owner is
    alive or on another host.
    """
    own = file.with_name(f"{file.name}.{socket.gethostname()}.{os.getpid()}")
    own.write_bytes(_identify_process())
    try:
        while True:
            with suppress(FileExistsError):
                os.link(own, file)
                return os.open(file, os.O_RDWR)
            owner = _read_owner(file)
            if owner and not _is_dead(owner):
                raise LockHeldError(_describe(owner))
            with suppress(FileNotFoundError):
                _remove_claim(file, owner, own.with_name(f"{own.name}.old"))
    finally:
        own.unlink(missing_ok=True)


def _remove_claim(file: Path, owner: dict[str, object], aside: Path) -> None:
    """Delete a lock file if it still names this owner, {} for none; move it to the path `aside` to find out.

    Raises FileNotFoundError if another process has moved or deleted it.
    """
    file.replace(aside)
    if _read_owner(aside) != owner:  # another process was quicker, and this is its claim
        os.link(aside, file)
    aside.unlink()


def _identify_process() -> bytes:
    """Return, as JSON, this process's host, id and start (as `start_of` gives it), and `since`, the present time."""
    since = now()
    return json.dumps(
        {"host": socket.gethostname(), "process": os.getpid(), "started": start_of(os.getpid()), "since": since}
    ).encode()


def _read_owner(file: Path) -> dict[str, object]:
    """Return what `_identify_process` wrote into a lock file; {} if the file is missing, empty or damaged."""
    try:
        name = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return name if isinstance(name, dict) else {}


def _is_dead(owner: dict[str, object]) -> bool:
    """Tell whether the owner is a process of this host that has ended; false for other hosts."""
    process = owner.get("process")
    return (
        owner.get("host") == socket.gethostname()
        and isinstance(process, int)
        and start_of(process) != owner.get("started")
    )


def _describe(owner: dict[str, object]) -> str:
    """Return the owner's process, host and time as words; "another process" for {}."""
    if not owner:
        return "another process"
    return f"process {owner.get('process')} on {owner.get('host')}, since {owner.get('since')}"
