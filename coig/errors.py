"""The errors that users see: one clear message that says what is wrong and how to mend it."""

from __future__ import annotations

import difflib

from hydra.errors import CompactHydraException


class ConfigError(CompactHydraException):
    """Bad input, with its remedy. Hydra prints the message without a traceback and exits with 1."""


class DataError(ConfigError):
    """Unusable data; the message gives file, line and remedy."""


def first_line(error: Exception) -> str:
    """Return the first line of a library's error message, without its full stop; the class name if it is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def suggestion(word: str, known: list[str]) -> str:
    """Return `; did you mean 'x'?` if a known word is similar, otherwise a list of the known words."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(known)}"
