"""Find all pairs of texts that are copies of each other, exactly: by the shingles that they share.

Let A be the smaller text of a pair. It shares at least ⌈θ|A|⌉ shingles with its partner, or it is no pair. So its
rarest shingles decide (prefix filtering; Bayardo, Ma & Srikant 2007, "Scaling up all pairs similarity search"): if A
shared less than k of its |A| − ⌈θ|A|⌉ + k rarest shingles, it would share less than ⌈θ|A|⌉ in all. A sparse product
counts those, in blocks of bounded size, and what passes is compared in full. What thousands of texts share, such as a
site's footer, is among the most frequent shingles and is not multiplied. Nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coig.text.shingles import Shingles

Ints = NDArray[np.int64]
PARTS = 16  # of the range of hashes; one part is sorted at a time
BLOCK = 1 << 24  # products that one block of rows may need, which bounds the memory of its result
SPARE = 8  # a prefix is |A| / 8 longer than the shortest possible, so that sharing one shingle makes no candidate


@dataclass(frozen=True)
class Likeness:
    """How alike two texts are.

    Attributes:
        first, second: the texts' places in the sequence; the first has no more shingles than the second.
        jaccard: shared shingles / shingles of both together, each counted once.
        containment: shared shingles / shingles of the first.
    """

    first: int
    second: int
    jaccard: float
    containment: float


def find_alike(
    texts: Sequence[Shingles], *, jaccard: float, containment: float, excerpt: int, known: int = 0
) -> Iterator[Likeness]:
    """Yield all pairs of texts with at least this Jaccard similarity or containment, in ascending order of `first`.

    Args:
        texts: the shingles of each text, sorted and distinct. A text without shingles is like no other.
        jaccard, containment: thresholds, above 0 and at most 1.
        excerpt: the fewest shingles of a text whose containment counts. Shorter texts, such as a proverb, occur in
            others without being copies.
        known: the first so many texts are not compared among themselves.
    """
    share = min(containment, 2 * jaccard / (1 + jaccard))  # the least containment of a pair
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    index = _index_repeated(texts, sizes)
    prefixes, least = _cut_prefixes(index, sizes, share)
    for first, second in _candidates(prefixes, index, sizes, least):
        if first < known and second < known:
            continue
        pair = compare(texts, first, second)
        if pair.jaccard >= jaccard or (pair.containment >= containment and len(texts[first]) >= excerpt):
            yield pair


def compare(texts: Sequence[Shingles], first: int, second: int) -> Likeness:
    """Return how alike the texts at two places are; the first must have shingles, and no more than the second."""
    small, large = texts[first], texts[second]
    shared = _count_shared(small, large)
    return Likeness(first, second, shared / (len(small) + len(large) - shared), shared / len(small))


def _index_repeated(texts: Sequence[Shingles], sizes: Ints) -> csr_array:
    """Return a sparse matrix (texts, shingles that more than one text has), 1 where the text has the shingle.

    `sizes` are the texts' numbers of shingles.
    """
    hashes = np.concatenate([*texts, np.empty(0, np.uint64)])
    owners = np.repeat(np.arange(len(texts), dtype=np.int32), sizes)
    rows, columns, count = [], [], 0
    part_of = (hashes >> np.uint64(64 - PARTS.bit_length() + 1)).astype(np.uint8)
    for part in range(PARTS):
        inside = np.flatnonzero(part_of == part)
        order = inside[np.argsort(hashes[inside])]
        values = hashes[order]
        is_new = np.append(True, values[1:] != values[:-1])[: len(values)]
        numbers = np.cumsum(is_new) - 1
        is_repeated = (np.bincount(numbers) > 1) if len(numbers) else np.empty(0, np.bool_)
        chosen = is_repeated[numbers] if len(numbers) else is_repeated
        rows.append(owners[order[chosen]])
        columns.append((np.cumsum(is_repeated) - 1 + count)[numbers[chosen]].astype(np.int32))
        count += int(is_repeated.sum())
    place = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.ones(len(place[0]), np.int32), place), shape=(len(texts), count))


def _cut_prefixes(index: csr_array, sizes: Ints, share: float) -> tuple[csr_array, Ints]:
    """Return each text's prefix, its rarest shingles in `index`, as a matrix of the same shape; and an array (texts,).

    The array says how many shingles of its prefix a partner must have. `share` is the least containment of a pair. A
    prefix is empty if more shingles than a partner may lack are in no other text.
    """
    frequency = np.bincount(index.indices, minlength=index.shape[1])
    entries = np.diff(index.indptr)
    row = np.repeat(np.arange(len(sizes)), entries)
    order = np.lexsort((frequency[index.indices], row))
    rank = np.arange(len(order)) - np.repeat(index.indptr[:-1], entries)
    missing = sizes - np.ceil(share * sizes - 1e-9).astype(np.int64)  # shingles that a partner may lack
    least = np.minimum(1 + sizes // SPARE, sizes - missing)
    taken = missing + least - (sizes - entries)
    chosen = order[rank < np.repeat(taken, entries)]
    place = row[chosen], index.indices[chosen]
    return csr_array((np.ones(len(chosen), np.int32), place), shape=index.shape), least


def _candidates(prefixes: csr_array, index: csr_array, sizes: Ints, least: Ints) -> Iterator[tuple[int, int]]:
    """Yield the places (smaller, larger) of pairs whose larger text has `least` shingles of the smaller one's prefix.

    They come in ascending order of the smaller text's place.
    """
    others = index.T.tocsr()
    frequency = np.diff(others.indptr)
    work = np.add.reduceat(np.append(frequency[prefixes.indices], 0), prefixes.indptr[:-1])
    work[np.diff(prefixes.indptr) == 0] = 0  # reduceat gives an empty row the next row's first value
    block_of = np.cumsum(work) // BLOCK
    for block in np.unique(block_of[work > 0]):
        rows = np.flatnonzero((block_of == block) & (work > 0))
        counts = (prefixes[rows] @ others).tocoo()
        first, second = rows[counts.row], counts.col
        is_smaller = (sizes[first] < sizes[second]) | ((sizes[first] == sizes[second]) & (first < second))
        passed = is_smaller & (counts.data >= least[first])
        pairs = np.stack([first[passed], second[passed]], axis=1)
        yield from map(tuple, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist())


def _count_shared(small: Shingles, large: Shingles) -> int:
    """Return how many shingles two sorted sets share; the large one must not be empty."""
    places = np.minimum(np.searchsorted(large, small), len(large) - 1)
    return int((large[places] == small).sum())
