"""The form of time in every file and database."""

from datetime import UTC, datetime


def now() -> str:
    """Return the time in UTC as ISO 8601, with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
