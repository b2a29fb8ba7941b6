"""Hold a figure of the judge card."""

from __future__ import annotations

from dataclasses import dataclass

from coig.statistics.probes import Probed


@dataclass(frozen=True)
class Figure:
    """A line of the card: the judge's figure, people's, and a note on why one is missing or how it was made.

    `prompts` and `items` count the prompts, and the pairs or probes, behind the judge's figure; 0 if it is missing.
    """

    name: str
    judge: Probed | None = None
    people: Probed | None = None
    prompts: int = 0
    items: int = 0
    note: str = ""
