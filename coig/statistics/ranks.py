"""Compare how two measures order the same arms.

Shapes: K arms; … any leading dimensions, such as resamples.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np

from coig.statistics.intervals import Floats

MOST_PERMUTATIONS = 5_040  # of seven arms; more arms are permuted at random
ROUNDING = 1e-9


def kendall_tau(first: Floats, second: Floats) -> Floats:
    """Return Kendall's τ-b, (…), of the orders in which two measures, (…, K), put the arms.

    It is NaN if all arms are equal in one of the measures. Kendall 1945, Biometrika 33:239.
    """
    left, right = np.triu_indices(first.shape[-1], 1)
    of_first, of_second = (np.sign(values[..., left] - values[..., right]) for values in (first, second))
    ordered = (of_first**2).sum(axis=-1) * (of_second**2).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        tau: Floats = (of_first * of_second).sum(axis=-1) / np.sqrt(ordered)
    return tau


def permutation_p(first: Floats, second: Floats, seed: int = 0) -> float:
    """Return the two-sided p of Kendall's τ of two measures, (K,) each, if one of them ordered the arms at random.

    All orders of up to seven arms are counted; for more arms, as many are drawn by `seed`, the observed one among them.
    Returns NaN where τ is: all arms are equal in one measure, or a value is NaN.
    """
    count = len(first)
    if factorial(count) <= MOST_PERMUTATIONS:
        orders = np.array(list(permutations(range(count))))
    else:
        rng = np.random.default_rng(seed)
        orders = np.array([np.arange(count), *(rng.permutation(count) for _ in range(MOST_PERMUTATIONS - 1))])
    taus = np.abs(kendall_tau(np.broadcast_to(first, orders.shape), second[orders]))
    return float((taus >= taus[0] - ROUNDING).mean()) if np.isfinite(taus[0]) else float("nan")
