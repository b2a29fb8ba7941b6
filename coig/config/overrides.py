"""Write overrides that a user can paste into a shell."""

from __future__ import annotations

import re
import shlex

PLAIN = re.compile(r"[\w./:%+-]+")  # what Hydra's grammar reads as one value without quotes


def write_override(key: str, value: str | int | float | bool | None) -> str:
    """Return `key=value` with the quotes that Hydra and the shell need, such as 'study="my study"'."""
    if value is None:
        return f"{key}=null"
    if isinstance(value, bool):
        return f"{key}={str(value).lower()}"
    text = str(value)
    if not PLAIN.fullmatch(text) or (isinstance(value, str) and text.lower() in ("null", "true", "false")):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return shlex.quote(f"{key}={text}")
