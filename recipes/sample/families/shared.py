"""Helpers of the problem families of both languages: numbers without fractions, and riddles selected by search."""

from collections.abc import Callable
from itertools import product
from random import Random

# A family draws a problem and returns, for each part of its text, the wordings to choose from (see ``general``).
Family = Callable[[Random], list[list[str]]]

# Pairs of times in which two people do a job alone, such that together they need a whole number.
JOB_TIMES = [(a, b) for a in range(3, 41) for b in range(3, 41) if a != b and a * b % (a + b) == 0]

# Whether each possible claim is true, given whether the speaker and the other person are truthful. Each language
# words the claims in this order.
CLAIMS: tuple[Callable[[bool, bool], bool], ...] = (
    lambda me, you: not you,
    lambda me, you: you,
    lambda me, you: me == you,
    lambda me, you: me != you,
    lambda me, you: not (me and you),
    lambda me, you: not (me or you),
    lambda me, you: me or you,
)
# A label: the index of a box, and whether the label says that the prize is inside it.
Label = tuple[int, bool]


def words(text: str) -> list[str]:
    """Return the words of a text, split at white space; long word lists are shorter to write as one text."""
    return text.split()


def tenths(number: int) -> str:
    """Format a number of tenths as a decimal, or as an integer if it is one: 15 as 1.5, 20 as 2."""
    return f"{number / 10:.1f}".removesuffix(".0")


def misfits(riddle: tuple[int, int], kinds: tuple[bool, bool]) -> list[int]:
    """Return the speakers (0, 1) whose claim does not fit their kind: true from a liar, false from a truth-teller.

    `riddle`: each speaker's claim, as its index in CLAIMS. `kinds`: whether each speaker is a truth-teller.
    """
    first, second = kinds
    truths = (CLAIMS[riddle[0]](first, second), CLAIMS[riddle[1]](second, first))
    return [speaker for speaker in (0, 1) if truths[speaker] != kinds[speaker]]


def true_labels(labels: tuple[Label, ...], place: int) -> list[int]:
    """Return the indices of the boxes whose labels are true if the prize is in the box with the index ``place``."""
    return [box for box, (index, inside) in enumerate(labels) if (index == place) == inside]


KINDS = list(product((True, False), (True, False)))
# Pairs of claims that fit exactly one assignment of truth-tellers and liars.
RIDDLES = [
    riddle
    for riddle in product(range(len(CLAIMS)), range(len(CLAIMS)))
    if sum(not misfits(riddle, kinds) for kinds in KINDS) == 1
]
# Three different labels and the number of true ones, such that exactly one box can hold the prize.
LABELINGS = [
    (labels, truths)
    for labels in product(product(range(3), (True, False)), repeat=3)
    for truths in (1, 2)
    if len(set(labels)) == 3 and sum(len(true_labels(labels, place)) == truths for place in range(3)) == 1
]
