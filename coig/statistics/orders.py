"""Draw the orders in which answers stand on the page, balanced for every rater."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

One = TypeVar("One")


def draw_share(*seed: object) -> float:
    """Return a number from 0 to below 1 that looks random and that only `seed` decides."""
    return int.from_bytes(_digest(*seed)[:6]) / 2**48


def _digest(*seed: object) -> bytes:
    """Return the sha256 of the seed's parts, written as text."""
    return hashlib.sha256("\0".join(map(str, seed)).encode()).digest()


def shuffle(values: Iterable[One], *seed: object) -> list[One]:
    """Return the values in an order that looks random and that only `seed` and the values' given order decide."""

    def key(place: int) -> bytes:
        """Return the digest by which the value at `place` is sorted."""
        return _digest(*seed, place)

    given = list(values)
    return [given[place] for place in sorted(range(len(given)), key=key)]


def williams_square(size: int) -> list[list[int]]:
    """Return the rows of a Williams design (E. J. Williams 1949, Aust. J. Sci. Res. 2:149) over 0 … size − 1.

    Each number stands in each place, and directly after each other number, equally often. An even size needs `size`
    rows. An odd one needs twice as many: the second half mirrors the first.
    """
    zigzag = [0]
    for step in range(1, size):
        zigzag.append((step + 1) // 2 if step % 2 else size - step // 2)
    rows = [[(place + shift) % size for place in zigzag] for shift in range(size)]
    return rows if size % 2 == 0 else rows + [row[::-1] for row in rows]


def draw_order(arms: Sequence[str], number: int, *seed: object) -> list[str]:
    """Return the order of the arms in a rater's `number`-th task with these arms, counted from 0.

    Whole Williams squares follow each other, each with its rows and its arms in another random order. So after any
    number of tasks each arm has stood in each place equally often ± 1. It has also followed each other arm equally
    often: ± 1 if the number of arms is even; if it is odd, ± 2, and ± 0 after every 2 · len(arms) tasks.

    Args:
        seed: the study's seed and the rater.
    """
    size = len(arms)
    rows = williams_square(size)
    square, row = divmod(number, len(rows))
    labels = shuffle(sorted(arms), *seed, "arms", square)
    halves = [shuffle(rows[start : start + size], *seed, "rows", square, start) for start in range(0, len(rows), size)]
    ordered = [one for half in shuffle(halves, *seed, "halves", square) for one in half]
    return [labels[place] for place in ordered[row]]


def draw_pair_order(pair: Sequence[str], earlier: Iterable[Sequence[str]], *seed: object) -> list[str]:
    """Return the order of a pair of arms, given the orders of all pairs that the rater has seen so far.

    First comes the arm that came first less often in this very pair. If both did equally often, it is the arm for which
    times first minus times second, in all pairs, is smaller; if equal again, a random one that only `seed` decides.
    """
    lead: Counter[str] = Counter()  # times first minus times second
    own: Counter[str] = Counter()
    for first, second in earlier:
        lead[first] += 1
        lead[second] -= 1
        if {first, second} == set(pair):
            own[first] += 1
    place = {arm: number for number, arm in enumerate(shuffle(sorted(pair), *seed))}
    return sorted(pair, key=lambda arm: (own[arm], lead[arm], place[arm]))
