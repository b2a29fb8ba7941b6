"""Check raters' care: the same query again, an answer that stands there twice, and answers with planted defects.

A check shows a query that the rater has judged before, so it uses up no new query. It never counts in results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from coig.config.annotation import CheckKind
from coig.statistics.orders import shuffle
from coig.study.defects import can_be_damaged, plant_defect

OVERALL = "overall preference"


def plant(kind: CheckKind, answers: Mapping[str, str], *seed: object) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the texts that a check shows, {arm: text}, and what was planted: one arm's text is replaced.

    A defect is planted in the text of a random arm whose text can be damaged; if none can, in that of a random arm.

    Args:
        answers: text of each arm's answer; at least two.
        seed: decides which arm's text is replaced, and by what.

    Returns:
        the texts, and `{"copy": arm, "of": arm}`, `{"damaged": arm}`, or {} for a repeat, which replaces nothing.
    """
    first, second = shuffle(sorted(answers), *seed)[:2]
    if kind == "repeat":
        return dict(answers), {}
    if kind == "identical":
        return {**answers, first: answers[second]}, {"copy": first, "of": second}
    damaged = next((arm for arm in shuffle(sorted(answers), *seed) if can_be_damaged(answers[arm])), first)
    return {**answers, damaged: plant_defect(kind, answers[damaged], *seed)}, {"damaged": damaged}


def measure_care(
    kind: CheckKind, planted: Mapping[str, Any], value: Mapping[str, Any], earlier: Mapping[str, Any] | None
) -> float:
    """Return how well a rater did in a check: 1 is right, 0 is wrong.

    repeat: the share of pairs of answers that are in the same order as before, where a tie against an order counts ½; 1
    if the rater abstained before. identical: 1 if both copies are judged equal, else 0. A planted defect: 1 if no other
    answer is judged worse than the damaged one, else 0.

    Args:
        planted: as `plant` returned it.
        value: {arm: rank}, or {arm: {dimension: rating}}.
        earlier: what the rater said of the same answers before; None if the rater abstained.
    """
    ranks = _to_ranks(value)
    if kind == "identical":
        return float(ranks[planted["copy"]] == ranks[planted["of"]])
    if kind != "repeat":
        return float(ranks[planted["damaged"]] == max(ranks.values()))
    before = _to_ranks(earlier) if earlier else {}
    shared = [arm for arm in ranks if arm in before]
    orders = [(_sign(ranks[a] - ranks[b]), _sign(before[a] - before[b])) for a, b in combinations(shared, 2)]
    return sum(1 - abs(now - then) / 2 for now, then in orders) / len(orders) if orders else 1.0


def _to_ranks(value: Mapping[str, Any]) -> dict[str, float]:
    """Return a number for each arm, lower is better: its rank, or minus its rating.

    The rating is that of the overall preference or, without one, the sum over dimensions. Arms that were not placed
    come last, and are equal.
    """
    last = len(value) + 1
    return {
        arm: -float(one.get(OVERALL, sum(one.values()))) if isinstance(one, dict) else float(one or last)
        for arm, one in value.items()
    }


def _sign(number: float) -> int:
    """Return 1, 0 or -1."""
    return (number > 0) - (number < 0)


def choose_kind(kinds: Sequence[CheckKind], number: int, *seed: object) -> CheckKind:
    """Return the kind of a rater's `number`-th check, counted from 0: each kind once, in random order, then again."""
    turn, place = divmod(number, len(kinds))
    return shuffle(kinds, *seed, "kinds", turn)[place]
