"""Predict how much narrower the interval of a crossing gets with a further arm, or with more prompts or seeds.

Shapes: K arms, S simulated studies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from coig.statistics.crossing import find_crossing
from coig.statistics.intervals import Floats
from coig.statistics.responses import Covariance, Responses

STUDIES = 1_000  # simulated for each design


@dataclass(frozen=True)
class Expected:
    """The interval that a design is expected to give: the medians of its ends, as in `Crossing`, and its mean width.

    The width is on log₂(1 + dose), between 0 and the largest dose of all designs that are compared.
    """

    low: float
    high: float
    width: float


def add_arm(responses: Responses, dose: float, level: float) -> Responses:
    """Return the responses with a further arm, of response `level`, inserted in the order of doses.

    There must be two arms already. The new arm's variance and covariances are the means of theirs, as if it were judged
    on the same prompts, against the same opponent. The result has no separate covariance of raters or seeds, and its
    values do not count as logits.
    """
    covariance, count = responses.covariance.total, len(responses.doses)
    variance = float(np.diag(covariance).mean())
    shared = float((covariance.sum() - np.trace(covariance)) / (count * (count - 1)))
    place = int(np.searchsorted(responses.doses, dose))
    larger = np.full((count + 1, count + 1), shared)
    old = np.delete(np.arange(count + 1), place)
    larger[np.ix_(old, old)] = covariance
    larger[place, place] = variance
    return Responses(
        np.insert(responses.doses, place, dose),
        np.insert(responses.values, place, level),
        Covariance(larger, responses.covariance.prompts),
    )


def scale_error(responses: Responses, of_prompts: float, of_seeds: float = 1.0) -> Responses:
    """Return the responses with the covariance of prompts times `of_prompts`, and that of seeds times `of_seeds`.

    A factor below 1 stands for more prompts or seeds. A covariance of seeds that is not known stays so; those of raters
    and cells stay as they are.
    """
    before = responses.covariance
    seeds = None if before.of_seeds is None else of_seeds * before.of_seeds
    return replace(responses, covariance=replace(before, of_prompts=of_prompts * before.of_prompts, of_seeds=seeds))


def expect_interval(design: Responses, largest: float, seed: int = 0) -> Expected:
    """Simulate studies of a design whose true responses are its values, and summarise the intervals of the crossing.

    The intervals are those for the same raters.

    Args:
        design: one data set, rising.
        largest: the largest dose of all designs that are compared; ∞ counts as this dose in the width.
    """
    root = np.linalg.cholesky(design.covariance.total)
    noise = np.random.default_rng(seed).standard_normal((STUDIES, len(design.doses))) @ root.T
    found = find_crossing(replace(design, values=design.values + noise))
    widths = interval_width(found.low, found.high, largest)
    low, high = (float(np.quantile(end, 0.5, method="lower")) for end in (found.low, found.high))
    return Expected(low, high, float(widths.mean()))


def interval_width(low: Floats, high: Floats, largest: float) -> Floats:
    """Return the width of intervals on log₂(1 + dose); doses beyond `largest` count as `largest`."""
    width: Floats = np.log2(1 + np.minimum(high, largest)) - np.log2(1 + np.minimum(low, largest))
    return width
