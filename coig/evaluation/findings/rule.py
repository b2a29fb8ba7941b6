"""Decide from the verdicts on two arms whether one is better.

The rule follows tests of equivalence (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657). An arm is better if
its win rate is significantly above one half. It is not better by the margin if the interval excludes an advantage of
the margin, which is fixed before the verdicts are seen. If neither holds, more prompts are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coig.display.numbers import number
from coig.statistics.intervals import exact_upper_limit
from coig.statistics.power import prompts_to_find

LEVEL = 0.05  # significance level, for p after Holm's correction
ROUNDING = 1e-9  # tolerance for floating-point error in the interval's end
Finding = Literal["better", "worse", "not better by the margin", "inconclusive"]


@dataclass(frozen=True)
class Decision:
    """A finding from the verdicts on two arms about the first one.

    `why` explains the finding in words. `excluded` is the smallest advantage that is excluded, as a share; if it is
    negative, every advantage is excluded; None if the interval is unknown. `prompts_needed`: see `_prompts_needed`.
    """

    finding: Finding
    why: str
    excluded: float | None
    prompts_needed: int | None = None


def decide(rate: Mapping[str, Any], margin: float) -> Decision:
    """Decide from a pair's row of the win rates whether its arm is better than its opponent.

    The arm is better or worse if `p_holm` is below LEVEL. Else it is not better by the margin if the 95 % interval
    excludes an advantage of the margin, and the finding is inconclusive if not.

    Args:
        rate: a row with `rate`, `prompts`, `p_holm`, `high`, `low_raters`, `high_raters` and `mde`; shares are 0–1.
        margin: the smallest advantage that matters, as a share: 0.1 for 10 points.
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
    """Return the rule as text for readers of the report; `margin` is a share."""
    return (
        "A claim is supported if it holds beyond chance (p after Holm's correction below 0.05), and not supported if "
        "the opposite does, or if the upper end of the 95 % interval, for new raters too where there are several, "
        f"excludes an advantage of {in_points(margin)} points or more: a margin fixed beforehand (claims.margin). "
        "Otherwise it is inconclusive, which says that more prompts or raters are needed, not that the arms are alike. "
        "For a claim that an arm does not beat another, supported and not supported change places."
    )


def in_points(share: float) -> str:
    """Return a share (0–1) in percentage points, without needless decimals: "10" for 0.1."""
    return f"{100 * share:g}"


def excluded_in_words(excluded: float | None) -> str | None:
    """Return in words which advantages are excluded: "7.5 points or more", "any" if `excluded` ≤ 0; None if unknown."""
    if excluded is None:
        return None
    return f"{number(100 * excluded, 1)} points or more" if excluded > 0 else "any"


def _excluded(rate: Mapping[str, Any]) -> float | None:
    """Return the upper end of the 95 % interval of a win rate, less one half; None if there is no interval.

    With several raters it is the interval that also covers new raters. With one rater it is the exact interval over
    prompts, because the bootstrap interval is too narrow for few prompts: with 7 or 12 prompts it excludes a true win
    rate of 60 % in 6 to 10 % of studies.
    """
    if rate["high"] is None:
        return None
    if rate["high_raters"] is not None:
        return float(rate["high_raters"]) - 0.5
    return exact_upper_limit(rate["rate"] * rate["prompts"], rate["prompts"]) - 0.5


def _of_other_raters(rate: Mapping[str, Any]) -> str:
    """Return the words about other raters that follow "it wins more often"; "" if that holds for new raters too."""
    if rate["low_raters"] is None:
        return "; nothing is known of other raters"
    return "; with these raters: other raters might not agree" if rate["low_raters"] <= 0.5 else ""


def _prompts_needed(rate: Mapping[str, Any], margin: float) -> int | None:
    """Return how many prompts detect an advantage of the margin with 80 % power.

    If that many were judged already, return how many detect half the margin; None if that many were judged too.
    """
    candidates = (prompts_to_find(effect, rate["prompts"], rate["mde"]) for effect in (margin, margin / 2))
    return next((prompts for prompts in candidates if prompts > rate["prompts"]), None)
