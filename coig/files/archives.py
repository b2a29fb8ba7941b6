"""Unpack an archive that may come from anyone: nothing is written outside its folder, and nothing is a link."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from coig.errors import DataError, first_line
from coig.files.atomic import atomic_folder
from coig.files.limits import Tally


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, which may be packed by gzip, bzip2 or xz, into a new folder; all of it or nothing.

    Raises DataError if it is damaged, holds a link or a device, or a name that leads outside the folder, or unpacks to
    more than `coig.files.limits` allows.
    """
    tally = Tally(archive)
    try:
        with tarfile.open(archive) as packed, atomic_folder(folder) as partial:
            for member in packed:
                if problem := _find_problem(member):
                    raise DataError(f"{archive}: {member.name!r} {problem}; nothing was unpacked")
                tally.add(member.size)
                packed.extract(member, partial, filter="data")  # without owners and special permissions
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # such as a full disk
            raise
        raise DataError(
            f"{archive}: no archive, or damaged ({first_line(error)}); bring the whole file again"
        ) from None


def _find_problem(member: tarfile.TarInfo) -> str | None:
    """Return why a member may not be unpacked; None if it may."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or not member.name.isprintable():
        return "would be written outside the folder"
    if not (member.isfile() or member.isdir()):
        return "is a link or a device"
    return None
