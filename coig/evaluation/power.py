"""How many prompts and raters a study needs: python -m coig.evaluation.power effect=0.6 raters=4

effect     the win rate to be found, between 0.5 and 1
raters     how many people judge every prompt
agreement  correlation of two raters' verdicts on one prompt (0.2)
taste      standard deviation of raters' own win rates: by how much tastes differ (0.05)
power      the chance to find it (0.8)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri, stdtrit

from coig.cli import run_tool
from coig.config import ConfigError, suggestion

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


def plan_of(arguments: Sequence[str]) -> Plan:
    """Raises ConfigError for what is missing, unknown or out of range."""
    known = {field.name: int if field.name == "raters" else float for field in fields(Plan)}
    given: dict[str, float] = {}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in known:
            raise ConfigError(f"{key}: unknown" + suggestion(key, list(known)))
        try:
            given[key] = known[key](value)
        except ValueError:
            raise ConfigError(f"{argument}: no number; give for example effect=0.6 raters=4") from None
    if missing := [key for key in ("effect", "raters") if key not in given]:
        raise ConfigError(f"{missing[0]}: not set; give for example effect=0.6 raters=4")
    plan = Plan(**given)  # type: ignore[arg-type]
    ranges = {
        "effect": 0.5 < plan.effect < 1,
        "raters": plan.raters >= 1,
        "agreement": 0 <= plan.agreement <= 1,
        "taste": plan.taste >= 0,
        "power": 0 < plan.power < 1,
    }
    if wrong := [key for key, is_sound in ranges.items() if not is_sound]:
        bounds = {"effect": "between 0.5 and 1", "raters": "at least 1", "agreement": "0 to 1", "taste": "at least 0"}
        raise ConfigError(f"{wrong[0]}={given[wrong[0]]:g}: must be {bounds.get(wrong[0], 'between 0 and 1')}")
    return plan


def main(arguments: Sequence[str]) -> None:
    """Print the prompts that are needed with one to twice as many raters, and what the paper's sizes could find."""
    plan = plan_of(arguments)
    console = Console(highlight=False)
    title = f"Prompts to find a win rate of {100 * plan.effect:g} % with {100 * plan.power:g} % power"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    for heading in ("raters", "these raters, new prompts", "new raters too"):
        table.add_column(heading, justify="right")
    for raters in sorted({1, 2, plan.raters, 2 * plan.raters}):
        other = plan.prompts_for_new_raters(raters)
        cells = str(raters), f"{plan.prompts(raters):,}", f"{other:,}" if other else "more raters are needed"
        table.add_row(*cells, style="bold" if raters == plan.raters else "")
    console.print(table)
    console.print(
        f"Assumed: two raters' verdicts correlate by {plan.agreement:g}, tastes differ by {plan.taste:g} (SD)."
    )
    for prompts in (204, 353):
        points = 100 * plan.detectable(prompts, plan.raters)
        console.print(f"{prompts} prompts and {plan.raters} raters can find {points:.1f} points from one half.")


if __name__ == "__main__":
    run_tool(main)
