"""Make the items that are judged, sets of answers to one query, from queries, their answers and a protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import comb

from coig.config import Protocol
from coig.records.answer import Answer
from coig.statistics.orders import shuffle


@dataclass(frozen=True)
class AnsweredQuery:
    """A query with the arms' answers to it."""

    query_id: str
    lang: str
    genre: str | None
    prompt: str
    answers: dict[str, str] = field(hash=False)  # by arm, in the study's order

    @property
    def stratum(self) -> tuple[str, str | None]:
        """Return (language, genre), over whose values samples and pairs of queries are spread evenly."""
        return self.lang, self.genre

    def characters(self, arms: Iterable[str]) -> int:
        """Return the number of characters of the prompt and these arms' answers together."""
        return len(self.prompt) + sum(len(self.answers[arm]) for arm in arms)

    def hashes(self, arms: Iterable[str]) -> dict[str, str]:
        """Return {arm: sha256 of its answer in hexadecimal}, by which a changed answer is recognized."""
        return {arm: hashlib.sha256(self.answers[arm].encode()).hexdigest() for arm in arms}


@dataclass(frozen=True)
class Item:
    """Answers to one query that a rater judges together."""

    question: AnsweredQuery
    arms: tuple[str, ...]
    probability: float = 1.0  # of these arms being drawn for the query

    @cached_property
    def key(self) -> str:
        """Return the item's key in the database: the query's id and the arms as JSON."""
        return json.dumps([self.question.query_id, *self.arms], ensure_ascii=False)


def collect_answered_queries(answers: Iterable[Answer], arms: Sequence[str]) -> tuple[list[AnsweredQuery], list[str]]:
    """Return the queries that at least two of the arms have answered, and the ids of those that only one has answered.

    Both are sorted by id: what a seed draws from them does not depend on the order in which an engine answered. If an
    arm has several answers to a query, the last one is taken.

    Args:
        arms: the arms' names in the study's order; answers of others are left out.
    """
    by_query: dict[str, dict[str, Answer]] = {}
    for answer in answers:
        if answer.arm in arms:
            by_query.setdefault(answer.query_id, {})[answer.arm] = answer
    questions = []
    for query_id, found in sorted(by_query.items()):
        first = next(iter(found.values()))
        texts = {arm: found[arm].answer for arm in arms if arm in found}
        questions.append(AnsweredQuery(query_id, first.lang, first.genre, first.query, texts))
    return [one for one in questions if len(one.answers) > 1], [q.query_id for q in questions if len(q.answers) < 2]


def make_items(questions: Sequence[AnsweredQuery], protocol: Protocol, seed: int) -> list[Item]:
    """Return the items of a study: one for each query with all its answers, or one for each judged pair of its answers.

    Pairs are made for the protocol `pairs` only; their queries are ordered by language and genre, then at random.

    If a query has more pairs than `protocol.pairs_per_query`, the pairs are dealt out in turn to the queries, language
    by language and genre by genre. So over the queries with the same arms each pair is judged equally often ± 1.
    """
    if protocol.kind != "pairs":
        return [Item(question, tuple(question.answers)) for question in questions]
    items: list[Item] = []
    dealt: dict[tuple[str, ...], int] = {}  # arms → pairs that were dealt so far
    wanted = protocol.pairs_per_query
    for question in sorted(shuffle(questions, seed, "pairs"), key=lambda one: (one.lang, one.genre or "")):
        arms = tuple(question.answers)
        number = comb(len(arms), 2)
        if wanted is None or wanted >= number:
            items += [Item(question, pair) for pair in combinations(arms, 2)]
            continue
        pairs = _round_robin(shuffle(arms, seed, "rounds", *arms))
        start = dealt.get(arms, 0)
        dealt[arms] = start + wanted
        chosen = [pairs[place % number] for place in range(start, start + wanted)]
        items += [Item(question, tuple(sorted(pair, key=arms.index)), wanted / number) for pair in chosen]
    return items


def _round_robin(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Return all pairs of arms, round after round; in a round no arm is in two pairs.

    This is the circle method of tournaments. If the number of arms is odd, one arm pauses in each round.
    """
    circle: list[str | None] = [*arms] if len(arms) % 2 == 0 else [*arms, None]
    pairs = []
    for _ in range(len(circle) - 1):
        half = len(circle) // 2
        pairs += [(a, b) for a, b in zip(circle[:half], reversed(circle[half:]), strict=True) if a and b]
        circle = [circle[0], circle[-1], *circle[1:-1]]
    return pairs
