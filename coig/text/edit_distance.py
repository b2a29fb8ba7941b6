"""Measure how far one text is from another."""

from __future__ import annotations

import numpy as np


def edit_distance(first: str, second: str) -> int:
    """Count the characters to insert, delete or replace to turn one text into the other (Levenshtein 1966).

    Takes about len(first) × len(second) steps, one row of the table at a time: 0.1 s for 4,000 characters each.
    """
    start = next((at for at, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return abs(len(first) - len(second))
    one, other = (np.array([ord(character) for character in text[start:]], dtype=np.int64) for text in (first, second))
    places = np.arange(len(other) + 1)
    row = places
    for number, character in enumerate(one, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (other != character))
        # an insertion costs 1 more than the cell before it: a running minimum of the costs less their places
        row = np.minimum.accumulate(np.concatenate([[number], changed]) - places) + places
    return int(row[-1])
