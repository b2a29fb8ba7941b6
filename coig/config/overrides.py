"""Write overrides for Hydra, and so that a user can paste them into a shell."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

PLAIN = re.compile(r"[\w./:%+-]+")  # what Hydra's grammar reads as one value without quotes
UNQUOTED = r"""(?<=[:\s])[^\s:,{}\[\]'"][^:,{}\[\]'"]*(?=[,}])"""  # an unquoted value of a dict on the command line

STRUCTURE = set("[]{}(),'\"=$\\")  # characters that mean something to Hydra in a value without quotes


def quote_unreadable(line: str) -> str:
    """Return the override `key=value` with quotes around its value if Hydra's grammar can read it only with them.

    Other lines are returned as they are, and so is a value with one of the characters of STRUCTURE.
    """
    key, _, value = line.partition("=")
    if not value or line.startswith("-") or STRUCTURE & set(value) or _is_readable(line):
        return line
    quoted = f"{key}='{value}'"
    return quoted if _is_readable(quoted) else line


def _is_readable(line: str) -> bool:
    """Tell whether Hydra's grammar can read an override."""
    try:
        OverridesParser.create().parse_overrides([line])
    except HydraException:
        return False
    return True


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


def suggest_line(line: str) -> str:
    """Return the whole line to suggest for an unreadable one: `key='value'`, or `line=…` if it has no `=`.

    In a list each item is quoted, even if it has quotes already; in a dict each value without quotes.
    """
    key, equals, value = line.partition("=")
    if value.startswith("[") and value.endswith("]"):
        return f"{key}=[{','.join(repr(item) for item in value[1:-1].split(','))}]"
    if value.startswith("{") and value.endswith("}"):
        return f"{key}=" + re.sub(UNQUOTED, lambda found: f"'{found[0].rstrip()}'", value)
    return f"{key}='{value}'" if equals else f"{line}=…"


def _is_no_text(text: str) -> bool:
    """Tell whether Hydra reads a text without quotes as a number, a truth value or nothing."""
    with suppress(ValueError):
        float(text)
        return True
    return text.lower() in ("null", "true", "false")
