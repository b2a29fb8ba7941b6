"""Compute how many prompts, raters and seeds a study of pairwise verdicts needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri, stdtrit

from coig.statistics.intervals import FEWEST

MOST = 1_000_000  # prompts; a design that needs more is not feasible


@dataclass(frozen=True)
class Design:
    """The design of a study of pairwise verdicts in which every rater judges every prompt.

    effect: the win rate to detect, 0.5–1. agreement: correlation of two raters' verdicts on a prompt. taste: standard
    deviation of the raters' own win rates. power: probability of detecting the effect. spread: standard deviation of an
    arm's win rate between seeds.
    """

    effect: float
    raters: int
    agreement: float = 0.2
    taste: float = 0.05
    power: float = 0.8
    spread: float = 0.03

    def error(self, prompts: float, raters: float) -> float:
        """Compute the standard error of a win rate near one half, for these raters and new prompts."""
        shared = self.agreement + (1 - self.agreement) / raters
        return math.sqrt(0.25 * shared / prompts)

    def prompts(self, raters: int) -> int:
        """Compute how many prompts detect the effect with the same raters, by the normal approximation."""
        wanted = (self.effect - 0.5) / (ndtri(0.975) + ndtri(self.power))
        return math.ceil(self.error(1, raters) ** 2 / float(wanted) ** 2)

    def prompts_for_new_raters(self, raters: int) -> int | None:
        """Compute how many prompts detect the effect so that it holds for new raters.

        Return None for fewer than two raters, or if more than MOST prompts are needed. The raters' tastes add
        taste² / raters to the variance, and Student's t has raters − 1 degrees of freedom.
        """
        if raters < 2:
            return None
        return self._prompts_beside(self.taste**2 / raters, raters - 1, raters)

    def prompts_for_new_seeds(self, seeds: int, raters: int) -> int | None:
        """Compute how many prompts detect the effect so that it holds for new seeds of both arms.

        Return None for fewer than two seeds of an arm, or if more than MOST prompts are needed. The seeds add
        2 · spread² / seeds to the variance, and Student's t has 2 · (seeds − 1) degrees of freedom. Each seed of one
        arm is compared with one of the other.
        """
        return None if seeds < 2 else self._prompts_beside(2 * self.spread**2 / seeds, 2 * (seeds - 1), raters)

    def _prompts_beside(self, variance: float, freedom: int, raters: int) -> int | None:
        """Compute how many prompts detect the effect if `variance` is added to the win rate's; None above MOST.

        Student's t has `freedom` degrees of freedom.
        """
        wanted = (self.effect - 0.5) / float(stdtrit(freedom, 0.975) + ndtri(self.power))
        of_prompt, rest = self.error(1, raters) ** 2, wanted**2 - variance
        return math.ceil(of_prompt / rest) if rest > of_prompt / MOST else None

    def prompts_with_judge(self, raters: int, correlation: float, further: int) -> int:
        """Compute how many prompts people must judge to detect the effect if a judge has judged further ones.

        It holds for the same raters. With n prompts of people and N further ones, a prompt of people counts as
        1 / (1 − ρ²·N / (N + n)) prompts (Angelopoulos et al. 2023, 2311.01453). At least FEWEST are needed to calibrate
        a judge, unless fewer are enough without any judge.

        Args:
            correlation: ρ, of the judge's predictions with the raters' mean verdict; a negative one counts as 0.
            further: N.
        """
        alone, square = self.prompts(raters), max(0.0, correlation) ** 2
        # n = alone · (1 − ρ²·N / (N + n)), solved for n
        half = (further - alone) / 2
        found = math.ceil(-half + math.sqrt(half**2 + alone * further * (1 - square)) - 1e-9)
        return max(found, min(alone, FEWEST))

    def reliability(self, raters: float) -> float:
        """Compute the squared correlation of the mean verdict of so many raters with that of very many raters, 0–1."""
        return self.agreement / (self.agreement + (1 - self.agreement) / raters)

    def detectable(self, prompts: float, raters: float) -> float:
        """Compute the smallest difference from one half, as a share, that the prompts detect with the design's power.

        It holds for the same raters.
        """
        return float((ndtri(0.975) + ndtri(self.power)) * self.error(prompts, raters))


def prompts_to_find(effect: float, prompts: int, detectable: float | None) -> int:
    """Compute how many prompts detect a difference of `effect` from one half, given that `prompts` detect `detectable`.

    The detectable difference is proportional to 1 / √prompts. If it is None (unknown), a verdict of one rater on each
    prompt is assumed, with the largest possible variance, and power 0.8. Differences are shares; `effect` is above 0.
    """
    if detectable is None:
        return Design(0.5 + effect, raters=1).prompts(1)
    return math.ceil(prompts * (detectable / effect) ** 2)
