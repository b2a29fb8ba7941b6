"""How many prompts and raters a study of pairwise verdicts needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri, stdtrit

MOST = 1_000_000  # prompts


@dataclass(frozen=True)
class Plan:
    """A study of pairwise verdicts, every rater judging every prompt."""

    effect: float
    raters: int
    agreement: float = 0.2
    taste: float = 0.05
    power: float = 0.8

    def error(self, prompts: float, raters: int) -> float:
        """Standard error of a win rate near one half, the raters as they are."""
        shared = self.agreement + (1 - self.agreement) / raters
        return math.sqrt(0.25 * shared / prompts)

    def prompts(self, raters: int) -> int:
        """Prompts to find the effect with these raters, by the normal approximation."""
        wanted = (self.effect - 0.5) / (ndtri(0.975) + ndtri(self.power))
        return math.ceil(self.error(1, raters) ** 2 / float(wanted) ** 2)

    def prompts_for_new_raters(self, raters: int) -> int | None:
        """The same so that it holds for other raters too; None if no number of prompts is enough.

        The raters' tastes add taste² / raters to the variance, and Student's t has raters − 1 degrees of freedom.
        """
        if raters < 2:
            return None
        wanted = (self.effect - 0.5) / (stdtrit(raters - 1, 0.975) + ndtri(self.power))
        rest = wanted**2 - self.taste**2 / raters
        return math.ceil(self.error(1, raters) ** 2 / rest) if rest > self.error(1, raters) ** 2 / MOST else None

    def detectable(self, prompts: int, raters: int) -> float:
        """The smallest difference from one half that is found with this power, these raters."""
        return float((ndtri(0.975) + ndtri(self.power)) * self.error(prompts, raters))


def prompts_to_find(effect: float, prompts: int, detectable: float | None) -> int:
    """Return how many prompts find a difference of `effect` from one half, where so many find one of `detectable`.

    What is found falls with the square root of the number. None: not known, and verdicts are taken to vary as much as
    they can.
    """
    if detectable is None:
        return Plan(0.5 + effect, raters=1).prompts(1)
    return math.ceil(prompts * (detectable / effect) ** 2)
