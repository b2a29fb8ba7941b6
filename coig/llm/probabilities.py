"""Turn the log-probabilities of a reply's tokens into probabilities of the choices of one field."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LEAST = 0.5  # mass on the choices below which the tokens say something else
MARKS = " \t\n\"'`*_:："  # what may stand between a field's name and its value


class Token(NamedTuple):
    """A token of a reply, and the log-probabilities of the likeliest tokens at its place."""

    text: str
    likeliest: Mapping[str, float]


def choice_probabilities(tokens: Sequence[Token], field: str, choices: Sequence[str]) -> dict[str, float]:
    """Return {choice: probability} at the place where the value of the reply's last `field: value` begins; sum 1.

    A choice has the probability of all tokens by which it, and no other choice, can begin. Returns {} if the field is
    not found, or the choices together have less than LEAST of the probability, as when all begin with the same letters.
    """
    text = "".join(token.text for token in tokens)
    names = list(re.finditer(rf"{re.escape(field)}[\s\"'*_`]*[:：][\s\"'*_`]*", text, re.IGNORECASE))
    if not names:
        return {}
    end = 0
    for token in tokens:
        end += len(token.text)
        if end > names[-1].end():
            return _normalise(token.likeliest, choices)
    return {}


def _normalise(likeliest: Mapping[str, float], choices: Sequence[str]) -> dict[str, float]:
    """Return {choice: probability}: the sum over the tokens by which only this choice can begin, scaled to sum to 1.

    Returns {} if the sum over all choices was below LEAST. `likeliest` has log-probabilities.
    """
    sums = dict.fromkeys(choices, 0.0)
    for token, log_probability in likeliest.items():
        begun = [choice for choice in choices if _begins(token.lstrip(MARKS), choice)]
        if len(begun) == 1:
            sums[begun[0]] += math.exp(log_probability)
    total = sum(sums.values())
    return {choice: one / total for choice, one in sums.items()} if total >= LEAST else {}


def _begins(piece: str, choice: str) -> bool:
    """Tell whether a token can begin a choice.

    It is the choice's first letters, or the whole choice with no letter or digit after it. An empty token begins none.
    """
    if not piece:
        return False
    rest = piece[len(choice) :]
    return choice.startswith(piece) or (piece.startswith(choice) and not rest[0].isalnum())
