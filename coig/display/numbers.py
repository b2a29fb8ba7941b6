"""Numbers as people read them, and tables of them: one look for the page, Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable

LANGUAGE_NAMES = {"zh": "Chinese queries", "en": "English queries"}
NONE = "–"


def percent(share: float | None) -> str:
    """A share of 0–1 in per cent, without the sign."""
    return NONE if share is None else number(100 * share, 1)


def number(value: float | None, decimals: int | None = None) -> str:
    """With thousands separators; unless told, with the decimals that show three figures, at most three."""
    if value is None or math.isnan(value):
        return NONE
    return f"{value:z,.{decimals_of(value) if decimals is None else decimals}f}".replace("-", "−")


def signed(value: float | None, decimals: int | None = None) -> str:
    """A difference, its sign shown unless it rounds to 0."""
    text = number(value, decimals)
    return f"+{text}" if text[0] not in "−–" and text.strip("0.") else text


def p_value(p: float | None) -> str:
    if p is None or math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float | None, high: float | None, form: Callable[[float | None], str] = percent) -> str:
    """`[low, high]`, or a dash unless both ends are known."""
    ends = form(low), form(high)
    return NONE if NONE in ends else f"[{ends[0]}, {ends[1]}]"


def yes_or_no(value: bool | None) -> str:
    return NONE if value is None else "yes" if value else "no"


def decimals_of(value: float) -> int:
    """Return the decimals that show three figures of a value, at most three; 0 for a whole number."""
    if isinstance(value, int) or abs(value) >= 100:
        return 0
    return 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
