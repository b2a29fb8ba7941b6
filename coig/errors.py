"""What is said of bad input: one clear message, with near misses suggested."""

from __future__ import annotations

import difflib

from hydra.errors import CompactHydraException


class ConfigError(CompactHydraException):
    """Bad input with its remedy. Hydra prints it as it stands, without a traceback, and exits with 1."""


class DataError(ConfigError):
    """Data that cannot be used, with file, line and remedy."""


def first_line(error: Exception) -> str:
    """A library's message without its advice."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean 'x'?` for a near miss, else the known words."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(known)}"
