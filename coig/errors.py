"""The errors that users see: one clear message that says what is wrong and how to mend it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from difflib import SequenceMatcher

FULL = "make room there and run the same command again, which goes on from what is finished"
DENIED = "choose another folder, or make this one writable"
GONE = "it was deleted or moved while it was needed; run the command again"
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), DENIED),
    **dict.fromkeys((errno.ENOENT, errno.ESTALE), GONE),
    errno.EIO: "the disk fails; look at it before you go on",
    errno.ENOMEM: "allow this process more (ulimit -v, or the limit of its container), or take a smaller model",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENOTDIR: "a file lies where a folder belongs; move it away",
    errno.EISDIR: "a folder lies where a file belongs; move it away",
}
# of torch's and Rust's writers, whose errors are no OSError
LIBRARY_OUT_OF_DISK = re.compile(r"\(os error (\d+)\)|PytorchStreamWriter failed writing|unexpected pos \d+ vs")
# of the loader of shared libraries, and of torch
LIBRARY_OUT_OF_MEMORY = re.compile(r"failed to map segment|can't allocate memory|Cannot allocate memory")
FEW = 8  # so many names are listed rather than guessed at
SIMILAR, CLEARLY = 0.6, 0.05  # least similarity of a suggestion (1: the same word), and its lead over the next


class ConfigError(Exception):
    """Bad input, with its remedy. Commands print the message without a traceback and exit with 1."""

    exit_code = 1  # of a process that trains an arm


class OutOfMemoryError(ConfigError):
    """Memory ran out, perhaps only while others used it, so that another attempt may succeed."""

    exit_code = 71  # EX_OSERR of sysexits.h


class DataError(ConfigError):
    """Unusable data; the message gives file, line and remedy."""


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error message, without its full stop; the class name of an empty message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def system_problem(error: BaseException) -> str | None:
    """Return in one line what the system refuses, a file or memory, and what helps; None for any other error."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := LIBRARY_OUT_OF_DISK.search(str(error))):
        number = int(found[1] or errno.ENOSPC)
    if isinstance(error, MemoryError) or (number is None and LIBRARY_OUT_OF_MEMORY.search(str(error))):
        number = errno.ENOMEM
    if number not in REMEDIES:
        return None
    file = getattr(error, "filename", None)
    return f"{f'{file}: ' if file else ''}{os.strerror(number)}; {REMEDIES[number]}"


def suggestion(word: str, known: Sequence[str], listed: str = "known here:") -> str:
    """Return `; did you mean 'x'?` with the known word that is clearly nearest; if none is, `; known here:` and all.

    Of more than FEW known words, only those that are equally near are listed, if they are not more than FEW.

    Args:
        listed: the words before a list of all known words.
    """
    near = nearest(word, known)
    if len(near) == 1:
        return f"; did you mean '{near[0]}'?"
    if len(known) > FEW and 1 < len(near) <= FEW:
        return f"; did you mean one of {', '.join(near)}?"
    return f"; {listed} {', '.join(known)}"


def nearest(word: str, known: Sequence[str]) -> list[str]:
    """Return the known words nearest to a word, whatever the case of letters; [] if none is similar.

    They are the words that equal it; if none does, those that begin with it; if none does, the most similar one and
    those less similar by under CLEARLY.
    """
    lower = {one: one.lower() for one in known}
    same = [one for one in known if lower[one] == word.lower()]
    longer = [one for one in known if word and lower[one].startswith(word.lower())]
    if same or longer:
        return same or longer
    similar = {one: SequenceMatcher(None, lower[one], word.lower()).ratio() for one in known}
    best = max(similar.values(), default=0.0)
    return [one for one in known if similar[one] > best - CLEARLY] if best >= SIMILAR else []
