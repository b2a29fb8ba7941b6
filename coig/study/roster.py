"""The arms that are compared: what each is, and the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coig.config.ratio import GENERAL, Ratio


@dataclass(frozen=True)
class Contestant:
    """An arm, or arms that differ in their seed alone taken together.

    ratio: of creative to general data; None if nobody knows. is_plain: it differs from the paper's arms in nothing but
    its ratio, its seed aside.
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
        """Sort by growing general data: counts, then proportions, general data alone last."""
        ratio = self.ratio or Ratio.parse("0")
        size = ratio.per_creative or ratio.count or 0
        return self.is_general, ratio.per_creative is not None, 0.0 if self.is_general else float(size), self.name


@dataclass(frozen=True)
class Roster:
    """The contestants of an evaluation, in order."""

    contestants: tuple[Contestant, ...]

    @classmethod
    def of(cls, contestants: Iterable[Contestant]) -> Roster:
        return cls(tuple(sorted(contestants, key=lambda one: one.order)))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.contestants)

    @property
    def reference(self) -> str | None:
        """Return the arm that the others are held against: the first trained on general data alone."""
        return next((one.name for one in self.contestants if one.is_general), None)

    def is_general(self, name: str) -> bool:
        """Tell whether the arm of that name was trained on general data alone."""
        return any(one.is_general for one in self.contestants if one.name == name)

    def find_plain(self, ratio: str) -> str | None:
        """Return the name of the arm that the paper means by a ratio, if it takes part."""
        wanted = Ratio.parse(ratio)
        plain = (one.name for one in self.contestants if one.is_plain and one.ratio == wanted)
        return next(plain, None)

    def keep(self, names: Iterable[str]) -> Roster:
        """Return the roster of those of its arms that have these names."""
        kept = set(names)
        return Roster(tuple(one for one in self.contestants if one.name in kept))


def contestant_of_stranger(name: str) -> Contestant:
    """Return what is known of an arm that was not trained here and has no manifest.

    Only a name that is exactly the one of an arm of the paper, such as `cw+10k`, says something: other people's files
    of answers and judgments have nothing else.
    """
    text = GENERAL if name == GENERAL else "0" if name == "cw" else name.removeprefix("cw+").replace("to", ":")
    try:
        ratio = Ratio.parse(text)
    except ValueError:
        return Contestant(name, None, is_plain=False)
    return Contestant(name, ratio) if ratio.arm == name else Contestant(name, None, is_plain=False)
