"""Write overrides for Hydra, and so that a user can paste them into a shell."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress

PLAIN = re.compile(r"[\w./:%+-]+")  # what Hydra's grammar reads as one value without quotes


def write_override(key: str, value: str | int | float | bool | None) -> str:
    """Return `key=value` with the quotes that Hydra and the shell need, such as 'study="my study"'."""
    return shlex.quote(format_override(key, value))


def format_override(key: str, value: str | int | float | bool | None) -> str:
    """Return `key=value` with the quotes that Hydra needs to read the value as it is, such as study="my study"."""
    if value is None:
        return f"{key}=null"
    if isinstance(value, bool):
        return f"{key}={str(value).lower()}"
    text = str(value)
    if not PLAIN.fullmatch(text) or (isinstance(value, str) and _is_no_text(text)):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{key}={text}"


def _is_no_text(text: str) -> bool:
    """Tell whether Hydra reads a text without quotes as a number, a truth value or nothing."""
    with suppress(ValueError):
        float(text)
        return True
    return text.lower() in ("null", "true", "false")
