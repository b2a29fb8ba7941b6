"""What a part of the report says in words about one language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """A main sentence on one language, and further ones."""

    lang: str
    main: str
    others: tuple[str, ...]
