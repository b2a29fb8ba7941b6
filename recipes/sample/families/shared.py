"""What the problem families of both languages share: clean numbers, and riddles picked by search."""

from collections.abc import Callable
from itertools import product
from random import Random

# Draws a problem and lists, for each piece of its text, the wordings to choose from (see ``general``).
Family = Callable[[Random], list[list[str]]]

# Times in which two people do a job alone, such that together they need a whole number.
JOB_TIMES = [(a, b) for a in range(3, 41) for b in range(3, 41) if a != b and a * b % (a + b) == 0]

# What a speaker may say, given whether the speaker and the other one are truthful. Each language words these
# in the same order.
CLAIMS: tuple[Callable[[bool, bool], bool], ...] = (
    lambda me, you: not you,
    lambda me, you: you,
    lambda me, you: me == you,
    lambda me, you: me != you,
    lambda me, you: not (me and you),
    lambda me, you: not (me or you),
    lambda me, you: me or you,
)
# A label says of the box with an index that the prize is, or is not, inside.
Label = tuple[int, bool]


def words(text: str) -> list[str]:
    """Split a list written as one text, which keeps long lists short."""
    return text.split()


def tenths(number: int) -> str:
    """Write a number of tenths as a decimal, or as an integer if it is one."""
    return f"{number / 10:.1f}".removesuffix(".0")


def misfits(riddle: tuple[int, int], kinds: tuple[bool, bool]) -> list[int]:
    """List the speakers (0, 1) whose claim is true though they lie, or false though they are truthful."""
    first, second = kinds
    truths = (CLAIMS[riddle[0]](first, second), CLAIMS[riddle[1]](second, first))
    return [speaker for speaker in (0, 1) if truths[speaker] != kinds[speaker]]


def true_labels(labels: tuple[Label, ...], place: int) -> list[int]:
    """List the boxes whose labels are true if the prize is in ``place``."""
    return [box for box, (index, inside) in enumerate(labels) if (index == place) == inside]


KINDS = list(product((True, False), (True, False)))
# Pairs of claims that leave exactly one possibility.
RIDDLES = [
    riddle
    for riddle in product(range(len(CLAIMS)), range(len(CLAIMS)))
    if sum(not misfits(riddle, kinds) for kinds in KINDS) == 1
]
# Three different labels, and how many are true, such that exactly one box is possible.
LABELINGS = [
    (labels, truths)
    for labels in product(product(range(3), (True, False)), repeat=3)
    for truths in (1, 2)
    if len(set(labels)) == 3 and sum(len(true_labels(labels, place)) == truths for place in range(3)) == 1
]
