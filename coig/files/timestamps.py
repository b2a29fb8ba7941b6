"""The form of time in every file and database."""

from datetime import UTC, datetime
from pathlib import Path


def now() -> str:
    """Return the time in UTC as ISO 8601, with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def modified_at(file: Path) -> str:
    """Return when a file was last written, in the form of `now`."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
