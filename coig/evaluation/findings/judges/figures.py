"""A figure of the judge card."""

from __future__ import annotations

from dataclasses import dataclass

from coig.statistics.probes import Probed


@dataclass(frozen=True)
class Figure:
    """A line of the card: the judge's figure, people's, and a note on why one is missing or how it was made."""

    name: str
    judge: Probed | None = None
    people: Probed | None = None
    prompts: int = 0
    items: int = 0
    note: str = ""
