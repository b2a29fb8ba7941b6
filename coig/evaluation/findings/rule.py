"""The rule by which the verdicts on a pair of arms become a finding.

Three findings are possible of the claim that one arm is better than another, as in a test of equivalence (Schuirmann
1987, J. Pharmacokinet. Biopharm. 15:657): it wins beyond chance; an advantage of a margin, fixed before the verdicts
are seen, is excluded; or neither, and more prompts are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coig.display.numbers import number
from coig.statistics.intervals import exact_upper_limit
from coig.statistics.power import prompts_to_find

LEVEL = 0.05  # of p after Holm's correction
ROUNDING = 1e-9
Finding = Literal["better", "worse", "not better by the margin", "inconclusive"]


@dataclass(frozen=True)
class Decision:
    """What is found of one arm beside another.

    excluded: an advantage from this size on is excluded, as a share; below 0 any is; None: cannot be told.
    prompts_needed: how many would tell an advantage of the margin from none; None where enough were judged.
    """

    finding: Finding
    why: str
    excluded: float | None
    prompts_needed: int | None = None


def decide(rate: Mapping[str, Any], margin: float) -> Decision:
    """Return what a row of the win rates says of its arm.

    Args:
        rate: of its columns `rate`, `prompts`, `p_holm`, `high`, `low_raters`, `high_raters` and `mde` are used.
        margin: the advantage that matters, as a share: 0.1 for 10 points.
    """
    excluded = _excluded(rate)
    if rate["p_holm"] < LEVEL:
        if rate["rate"] > 0.5:
            return Decision("better", "it wins more often than not" + _of_other_raters(rate), excluded)
        return Decision("worse", "it loses more often than not", excluded)
    points = in_points(margin)
    if excluded is not None and excluded < margin - ROUNDING:
        return Decision("not better by the margin", f"an advantage of {points} points or more is excluded", excluded)
    why = f"not beyond chance, nor is an advantage of {points} points or more excluded"
    if rate["high_raters"] is not None and rate["high"] < 0.5 + margin:
        why += " for other raters: more raters are needed"
    needed = _prompts_needed(rate, margin)
    if needed:
        why += f"; about {needed:,} prompts are needed to find or exclude such an advantage 4 times in 5"
    return Decision("inconclusive", why, excluded, needed)


def rule_in_words(margin: float) -> str:
    """Explain the rule to readers of the report."""
    return (
        "A claim is supported if it holds beyond chance (p after Holm's correction below 0.05), and not supported if "
        "the opposite does, or if the upper end of the 95 % interval, for new raters too where there are several, "
        f"excludes an advantage of {in_points(margin)} points or more: a margin fixed beforehand (claims.margin). "
        "Otherwise it is inconclusive, which says that more prompts or raters are needed, not that the arms are alike."
    )


def in_points(share: float) -> str:
    """Write a share of 0–1 in percentage points, without needless decimals."""
    return f"{100 * share:g}"


def excluded_in_words(excluded: float | None) -> str | None:
    """Say which advantages are excluded; None where that cannot be told."""
    if excluded is None:
        return None
    return f"{number(100 * excluded, 1)} points or more" if excluded > 0 else "any"


def _excluded(rate: Mapping[str, Any]) -> float | None:
    """Return the advantage at the upper end of the 95 % interval: of new raters too, where there are several.

    Of one rater it is the exact one over prompts. The bootstrap's is too narrow for few prompts: it would deny a true
    60 % in 6 to 10 % of the studies of 7 or 12 prompts.
    """
    if rate["high"] is None:
        return None
    if rate["high_raters"] is not None:
        return float(rate["high_raters"]) - 0.5
    return exact_upper_limit(rate["rate"] * rate["prompts"], rate["prompts"]) - 0.5


def _of_other_raters(rate: Mapping[str, Any]) -> str:
    if rate["low_raters"] is None:
        return "; nothing is known of other raters"
    return "; with these raters: other raters might not agree" if rate["low_raters"] <= 0.5 else ""


def _prompts_needed(rate: Mapping[str, Any], margin: float) -> int | None:
    """Return how many prompts find an advantage of the margin 4 times in 5, and as often exclude it for equal arms.

    Where so many were judged already, the advantage seems to be smaller: those that find half of it.
    """
    candidates = (prompts_to_find(effect, rate["prompts"], rate["mde"]) for effect in (margin, margin / 2))
    return next((prompts for prompts in candidates if prompts > rate["prompts"]), None)
