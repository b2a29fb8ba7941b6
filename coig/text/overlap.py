"""Count what sets have in common, many pairs of sets at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Ints = NDArray[np.int64]
Set = NDArray[np.uint64]  # sorted, distinct


def count_shared(first: Sequence[Set], second: Sequence[Set]) -> csr_array:
    """Return how many elements each of the F first sets shares with each of the S second ones, (F, S), sparse."""
    elements = np.concatenate([np.empty(0, np.uint64), *first, *second])
    different, columns = np.unique(elements, return_inverse=True)
    sizes = [len(one) for one in (*first, *second)]
    bounds = np.cumsum([0, *sizes])
    whole = csr_array((np.ones(len(columns), np.int32), columns, bounds), shape=(len(sizes), len(different)))
    shared: csr_array = whole[: len(first)] @ whole[len(first) :].T.tocsr()
    return shared


def jaccard(shared: Ints, first: Ints, second: Ints) -> NDArray[np.float64]:
    """Return the Jaccard index of pairs of sets, shared elements / elements of either set; 0 if both sets are empty.

    Args:
        shared, first, second: how many elements both sets of a pair have, the first has and the second has; arrays
            whose shapes can be broadcast.
    """
    together = first + second - shared
    found: NDArray[np.float64] = np.divide(shared, together, out=np.zeros(np.shape(together)), where=together > 0)
    return found
