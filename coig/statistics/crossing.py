"""Find the dose at which a rising response reaches zero, with an interval and a bracket of tested doses.

Between two tested doses the response is taken as a straight line on the scale log₂(1 + dose). This is an assumption:
nothing was measured there. The interval therefore covers the crossing of the interpolated response, which differs from
the true one where the response jumps between two arms. The bracket needs no such assumption.

Shapes: K arms, G places between the first and the last arm, … one entry per data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from coig.statistics.intervals import Floats
from coig.statistics.responses import Indices, Responses

PARTS = 64  # places at which each segment between two arms is looked at


@dataclass(frozen=True)
class Crossing:
    """Where a rising response reaches zero; each field is a dose, (…).

    A crossing at the first arm or before is 0, one beyond the last arm, or none at all, ∞. So the lower limit is 0 if
    the first arm is not significantly below zero, and the upper one ∞ if the last is not significantly above it.

    point: the crossing of the interpolated response. low, high: its 95 % interval. bracket_low, bracket_high: the
    tested doses between which the true response crosses, with 95 % confidence. shown: the smallest dose at which the
    lower limit of the interpolated response is above zero.
    """

    point: Floats
    low: Floats
    high: Floats
    bracket_low: Floats
    bracket_high: Floats
    shown: Floats


def find_crossing(responses: Responses, new_raters: bool = False) -> Crossing:
    """Find where the responses reach zero from below.

    The interval reaches from the first dose at which the response is not significantly below zero to the last at which
    it is not significantly above: the hull of the doses at which zero is not rejected (Fieller 1954, Journal of the
    Royal Statistical Society B 16:175). The bracket comes from one-sided 2.5 % tests of the
    arms in fixed sequence (Maurer, Hothorn & Lehmacher 1995): from the first arm upwards for the lower end, as long as
    the response is significantly below zero, and from the last arm downwards for the upper end.

    Args:
        new_raters: generalise to new raters too, not only to new prompts.
    """
    weights, places = place_weights(responses.doses)
    values = responses.values @ weights.T
    halves = responses.covariance.half_widths(weights, new_raters)
    bracket_low, bracket_high = _bracket(responses, responses.half_widths(new_raters))
    return Crossing(
        point=_first_rise(values, places),
        low=_low_end(values, halves, places),
        high=_high_end(values, halves, places),
        bracket_low=bracket_low,
        bracket_high=bracket_high,
        shown=_first_rise(values - halves, places),
    )


def place_weights(doses: Floats) -> tuple[Floats, Floats]:
    """Return the weights of the arms at G places between them, (G, K), and the places on log₂(1 + dose), (G,).

    Every gap between two of the K doses is divided into PARTS equal steps. There must be two doses or more.
    """
    positions = np.log2(1 + doses)
    last = len(doses) - 1
    steps = np.arange(last * PARTS + 1) / PARTS
    left = np.minimum(steps.astype(int), last - 1)
    weights = np.zeros((len(steps), len(doses)))
    rows = np.arange(len(steps))
    weights[rows, left] = 1 - (steps - left)
    weights[rows, left + 1] += steps - left
    return weights, weights @ positions


def same_crossing_p(several: Sequence[Responses]) -> float:
    """Return p of the hypothesis that several independent sets of responses reach zero at the same dose.

    The statistic is the sum over the sets of their squared distances from zero, in standard errors, at the dose where
    it is smallest; that dose may also lie before the first one or beyond the last one. The statistic is χ² with one
    degree of freedom fewer than there are sets.

    Args:
        several: each of one data set, rising, with the same doses.
    """
    weights, _ = place_weights(several[0].doses)
    values = np.array([one.values @ weights.T for one in several])
    variances = np.array([((weights @ one.covariance.total) * weights).sum(axis=-1) for one in several])
    distances = values / np.sqrt(variances)
    before, beyond = np.minimum(0, distances[:, 0]), np.maximum(0, distances[:, -1])
    smallest = min(float((part**2).sum(axis=0).min()) for part in (distances, before, beyond))
    return float(chdtrc(len(several) - 1, smallest))


def _first_rise(values: Floats, places: Floats) -> Floats:
    """Return the dose at which interpolated values, (…, G), reach zero first; 0 at the first place, ∞ if never."""
    index = (values >= 0).argmax(axis=-1)
    doses = _zero_between(values, np.maximum(index - 1, 0), index, places)
    reached = (values >= 0).any(axis=-1)
    return np.where(reached, np.where(index == 0, 0.0, doses), np.inf)


def _low_end(values: Floats, halves: Floats, places: Floats) -> Floats:
    """Return the lower end of the doses at which zero is not rejected, (…).

    It is 0 if that is the first place, ∞ if all values, (…, G), are significantly below zero.
    """
    not_below = values >= -halves
    index = not_below.argmax(axis=-1)
    ends = _zero_between(values + halves, np.maximum(index - 1, 0), index, places)
    return np.where(not_below.any(axis=-1), np.where(index == 0, 0.0, ends), np.inf)


def _high_end(values: Floats, halves: Floats, places: Floats) -> Floats:
    """Return the upper end of the doses at which zero is not rejected, (…).

    It is ∞ if that is the last place, 0 if all values, (…, G), are significantly above zero.
    """
    not_above = values <= halves
    last = len(places) - 1
    index = last - not_above[..., ::-1].argmax(axis=-1)
    ends = _zero_between(values - halves, index, np.minimum(index + 1, last), places)
    found = np.where(index == last, np.inf, ends)
    return np.where(not_above.any(axis=-1), found, 0.0)


def _zero_between(values: Floats, first: Indices, second: Indices, places: Floats) -> Floats:
    """Return the dose at which the straight line between two places is zero, (…); the place's dose if both are equal.

    Args:
        values: (…, G), at the places. first, second: (…), indices of places. places: (G,), on log₂(1 + dose).
    """
    first, second = first[..., None], second[..., None]
    before = np.take_along_axis(values, first, axis=-1)[..., 0]
    after = np.take_along_axis(values, second, axis=-1)[..., 0]
    start, end = places[first[..., 0]], places[second[..., 0]]
    gap = np.where(first[..., 0] == second[..., 0], np.inf, after - before)
    doses: Floats = 2 ** (start - before / gap * (end - start)) - 1
    return doses


def _bracket(responses: Responses, halves: Floats) -> tuple[Floats, Floats]:
    """Return the lower and the upper end of the bracket of tested doses, each (…).

    The lower end is 0 if the first arm is not significantly below zero, the upper one ∞ if the last arm is not
    significantly above. `halves`, (…, K), are half the widths of the arms' intervals.
    """
    below = np.cumprod(responses.values < -halves, axis=-1).sum(axis=-1)
    above = np.cumprod((responses.values > halves)[..., ::-1], axis=-1).sum(axis=-1)
    low = np.append(0.0, responses.doses)[below]
    high = np.append(responses.doses, np.inf)[len(responses.doses) - above]
    return low, high
