"""The compared arms with their ratios, in the order in which they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from coig.config.ratio import GENERAL, Ratio

PAPER_ARMS = {"cw": "0", "cw+1k": "1k", "cw+5k": "5k", "cw+10k": "10k", "general": GENERAL}  # name → data.ratio
PAPER_CREATIVE, PAPER_LANGUAGES = 1_665, 2  # the paper's creative examples, and the languages of its general ones


@dataclass(frozen=True)
class Contestant:
    """An arm, or several arms that differ only in their seed.

    ratio: creative to general data; None if unknown.
    is_plain: whether only ratio and seed differ from the defaults, as in the paper's arms.
    """

    name: str
    ratio: Ratio | None
    is_plain: bool = True

    @property
    def is_general(self) -> bool:
        """Tell whether it was trained on general data alone."""
        return self.ratio is not None and not self.ratio.has_creative

    @property
    def order(self) -> tuple[bool, bool, float, str]:
        """Return the sort key: growing general data, counts before proportions, general data alone last; then names.

        An unknown ratio counts as 0.
        """
        ratio = self.ratio or Ratio.parse("0")
        size = ratio.per_creative or ratio.count or 0
        return self.is_general, ratio.per_creative is not None, 0.0 if self.is_general else float(size), self.name


@dataclass(frozen=True)
class Roster:
    """The contestants of an evaluation, in order."""

    contestants: tuple[Contestant, ...]

    @classmethod
    def of(cls, contestants: Iterable[Contestant]) -> Roster:
        """Make a roster, sorted by the contestants' `order`."""
        return cls(tuple(sorted(contestants, key=lambda one: one.order)))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the contestants' names, in order."""
        return tuple(one.name for one in self.contestants)

    @property
    def reference(self) -> str | None:
        """Return the name of the arm that others are compared with, the first on general data alone; else None."""
        return next((one.name for one in self.contestants if one.is_general), None)

    def is_general(self, name: str) -> bool:
        """Tell whether the arm of that name was trained on general data alone; false for a name that is not in it."""
        return any(one.is_general for one in self.contestants if one.name == name)

    def find_plain(self, ratio: str) -> str | None:
        """Return the name of the first plain arm (`is_plain`) with this `data.ratio`; None if there is none."""
        wanted = Ratio.parse(ratio)
        plain = (one.name for one in self.contestants if one.is_plain and one.ratio == wanted)
        return next(plain, None)

    def keep(self, names: Iterable[str]) -> Roster:
        """Return a roster with only the arms of these names; a name that is not in it is ignored."""
        kept = set(names)
        return Roster(tuple(one for one in self.contestants if one.name in kept))


def contestant_of_stranger(name: str) -> Contestant:
    """Return the contestant of an arm that has no manifest, because it was not trained here.

    If its name is that of one of the paper's five arms, of any seed, it has that arm's ratio and is plain; otherwise
    its ratio is unknown, and it is not plain.
    """
    if (paper := without_seed(name)) in PAPER_ARMS:
        return Contestant(name, Ratio.parse(PAPER_ARMS[paper]))
    return Contestant(name, None, is_plain=False)


def paper_dose(ratio: Ratio) -> float:
    """Return how many general examples per creative one a ratio means with the paper's data, such as 12.0 for 10k.

    For `general`, which has no creative ones, it is that of 10k.
    """
    return ratio.general_examples(PAPER_CREATIVE, PAPER_LANGUAGES, 1) / PAPER_CREATIVE


def without_seed(name: str) -> str:
    """Return the name of one of the paper's arms without its seed, `cw` for `cw-s1`; any other name as it is."""
    paper = re.sub(r"-s\d+$", "", name)
    return paper if paper in PAPER_ARMS else name
