"""Format numbers as text, the same way for the page, the terminal, Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

LANGUAGE_NAMES = {"zh": "Chinese queries", "en": "English queries"}
NONE = "–"


def percent(share: float | None) -> str:
    """Format a share (0–1) as a percentage with one decimal and no % sign; a dash for None or NaN."""
    return NONE if share is None else number(100 * share, 1)


def number(value: float | None, decimals: int | None = None) -> str:
    """Format a number with thousands separators and a typographic minus; a dash for None or NaN.

    By default it has as many decimals as show three significant figures, at most three; an int has none.
    """
    if value is None or math.isnan(value):
        return NONE
    return f"{value:z,.{decimals_of(value) if decimals is None else decimals}f}".replace("-", "−")


def signed(value: float | None, decimals: int | None = None) -> str:
    """Format as `number` does, with a + before positive ones; no sign if it rounds to 0, a dash for None or NaN."""
    text = number(value, decimals)
    return f"+{text}" if text[0] not in "−–" and text.strip("0.") else text


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return a count with its noun, such as `1 answer` and `1,200 answers`; `several` is a plural without s."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


# formats with as many decimals
whole, tenths, hundredths, thousandths, ten_thousandths = (partial(number, decimals=places) for places in range(5))
signed_hundredths = partial(signed, decimals=2)


def p_value(p: float | None) -> str:
    """Format a p value with three decimals or as "< 0.001"; a dash for None or NaN."""
    if p is None or math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float | None, high: float | None, form: Callable[[float | None], str] = percent) -> str:
    """Format an interval as `[low, high]`, each end by `form`; only a dash if either end is None or NaN."""
    ends = form(low), form(high)
    return NONE if NONE in ends else f"[{ends[0]}, {ends[1]}]"


def signed_interval(low: float | None, high: float | None) -> str:
    """Format an interval as `interval` does, its ends with signs and two decimals."""
    return interval(low, high, signed_hundredths)


def yes_or_no(value: bool | None) -> str:
    """Return "yes" or "no"; a dash for None."""
    return NONE if value is None else "yes" if value else "no"


def decimals_of(value: float) -> int:
    """Return how many decimals show three significant figures of a value, 0 to 3; 0 for an int."""
    if isinstance(value, int) or abs(value) >= 100:
        return 0
    return 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
