"""Find most pairs of similar texts among more than can be compared exactly: candidates by MinHash, each then compared.

MinHash estimates the Jaccard similarity (Broder 1997), so it finds no excerpts. What it proposes is compared exactly:
it can miss a pair, but never invents one.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from coig.curation.near_duplicates import Likeness, compare
from coig.errors import ConfigError
from coig.text.shingles import Shingles

BANDS, ROWS = 42, 3  # texts of Jaccard similarity s share a band with probability 1 − (1 − s³)⁴²: 99.6 % for 0.5
AT_A_TIME = 5_000  # texts whose shingles are handed over at once


def find_alike_by_minhash(texts: Sequence[Shingles], *, jaccard: float, known: int = 0) -> Iterator[Likeness]:
    """Yield the pairs of texts with at least this Jaccard similarity that MinHash finds.

    Args:
        texts: the shingles of each text, sorted and distinct. A text without shingles is like no other.
        known: the first so many texts are not compared among themselves.

    Raises ConfigError if rensa, which computes MinHash, is not installed.
    """
    if importlib.util.find_spec("rensa") is None:
        raise ConfigError(
            f"dedupe.largest: {len(texts):,} texts are more than are compared exactly; install MinHash with "
            f"pip install 'coig[minhash]', or give dedupe.largest={len(texts)} on a machine with about "
            f"{max(1, sum(map(len, texts)) * 40 // 10**9)} GB to spare"
        )
    sizes = np.array([len(text) for text in texts])
    yield from verify(_pairs_in_a_band(_sign(texts), sizes), texts, jaccard=jaccard, known=known)


def verify(
    candidates: Iterable[tuple[int, int]], texts: Sequence[Shingles], *, jaccard: float, known: int
) -> Iterator[Likeness]:
    """Compare candidates, pairs of places of texts, exactly; yield those with at least this Jaccard similarity.

    Both texts of a pair must have shingles. Pairs among the first `known` texts are left out.
    """
    for first, second in candidates:
        if first >= known or second >= known:
            small, large = sorted((first, second), key=lambda place: (len(texts[place]), place))
            if (pair := compare(texts, small, large)).jaccard >= jaccard:
                yield pair


def _sign(texts: Sequence[Shingles]) -> NDArray[np.uint32]:
    """Return the MinHash signatures of texts, uint32 of shape (texts, BANDS × ROWS)."""
    from rensa import RMinHash

    signatures = []
    for start in range(0, len(texts), AT_A_TIME):
        some = texts[start : start + AT_A_TIME]
        ends = np.cumsum([0, *map(len, some)]).astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(np.concatenate(some), ends, BANDS * ROWS, 0)
        signatures.append(np.array(matrix.to_rows(), dtype=np.uint32))
    return np.concatenate(signatures)


def _pairs_in_a_band(signatures: NDArray[np.uint32], sizes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the pairs (lower, higher place) of texts whose signatures agree in all rows of some band, each pair once.

    `sizes` are the texts' numbers of shingles; those without any are left out.
    """
    filled = np.flatnonzero(sizes)
    found: set[tuple[int, int]] = set()
    for band in range(BANDS):
        rows = signatures[filled, band * ROWS : (band + 1) * ROWS]
        _, bucket = np.unique(rows, axis=0, return_inverse=True)
        order = np.argsort(bucket, kind="stable")
        for members in np.split(filled[order], np.flatnonzero(np.diff(bucket[order])) + 1):
            if len(members) > 1:
                found.update((int(a), int(b)) for at, a in enumerate(members) for b in members[at + 1 :])
    return sorted(found)
