"""Make a judge's calls: pairs in both orders, rankings in a Latin square of orders, ratings, labels of steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coig.config import Protocol
from coig.config.judging import Asked
from coig.judging.cases import Case
from coig.records.answer import Answer
from coig.records.judgment import Check
from coig.statistics.orders import shuffle, williams_square
from coig.study.items import AnsweredQuery, make_items
from coig.text.cleaning import digest_of
from coig.text.reasoning_steps import split_steps

STEPS_PER_CALL = 20  # more in one reply are miscounted by small models


@dataclass(frozen=True)
class Call:
    """One question to a judge, with what its record needs and the judge does not see.

    Attributes:
        order: the arms in the order in which their texts are shown; in a check, the check's name for the text that was
            made of an arm's answer.
        check: the kind of check of the judge; None for an ordinary question.
        first: number, from 0, of the first step that is shown.
    """

    case: Case
    query_id: str
    genre: str | None
    order: tuple[str, ...]
    check: Check | None = None
    first: int = 0

    @property
    def arms(self) -> tuple[str, ...]:
        """Return the arms that are judged, in the order in which they are shown, without the name of a check."""
        return tuple(arm for arm in self.order if arm != self.check)

    def digests(self) -> dict[str, str]:
        """Return {key: digest of what is shown}: one entry for a verdict, ranking or rating, or one for each step.

        The key names query, order and, for labels, the step's number. The key of a check also holds the digest, since
        other arms or queries can make it another check.
        """
        key = f"{self.query_id}/{'>'.join(self.order)}"
        if self.case.asked == "steps":
            return {f"{key}/{self.first + place}": _digest(text) for place, text in enumerate(self.case.texts)}
        digest = _digest(self.case.task, *self.case.texts)
        return {f"{key}/{self.check}/{digest}" if self.check else key: digest}


def _digest(*texts: str) -> str:
    """Return 16 hexadecimal digits that change with any of the texts."""
    return digest_of(*texts).hex()[:16]


def make_pair_calls(
    questions: Sequence[AnsweredQuery], pairs_per_query: int | None = None, seed: int = 0
) -> list[Call]:
    """Return the calls that compare the answers to each question in pairs: two calls for each pair, one in each order.

    Args:
        pairs_per_query: how many of a question's pairs are judged, each equally often over all questions; None: all.
        seed: decides which pairs.
    """
    protocol = Protocol(kind="pairs", good=False, pairs_per_query=pairs_per_query)
    items = make_items(questions, protocol, seed)
    return [make_call("pairs", item.question, order) for item in items for order in (item.arms, item.arms[::-1])]


def make_ranking_calls(questions: Sequence[AnsweredQuery], seed: int) -> list[Call]:
    """Return the calls that rank the answers to each question, in the orders of a Latin square.

    Each answer stands in each place once, so there are as many calls as answers.
    """
    return [make_call("ranking", one, order) for one in questions for order in _latin_square(one, seed)]


def make_rating_calls(questions: Sequence[AnsweredQuery]) -> list[Call]:
    """Return the calls that rate each answer by itself, one for each answer to each question."""
    return [make_call("rating", one, (arm,)) for one in questions for arm in one.answers]


def make_call(asked: Asked, question: AnsweredQuery, order: tuple[str, ...], check: Check | None = None) -> Call:
    """Return the call that shows a question's answers of the arms in `order`, in that order."""
    texts = tuple(question.answers[arm] for arm in order)
    return Call(Case(asked, question.lang, question.prompt, texts), question.query_id, question.genre, order, check)


def _latin_square(question: AnsweredQuery, seed: int) -> list[tuple[str, ...]]:
    """Return as many orders of a question's arms as there are arms; each arm stands in each place once."""
    arms = shuffle(question.answers, seed, question.query_id)
    return [tuple(arms[place] for place in row) for row in williams_square(len(arms))[: len(arms)]]


def make_step_calls(answers: Iterable[Answer]) -> list[Call]:
    """Return the calls that label every step of the answers' reasoning, at most STEPS_PER_CALL steps in each.

    An answer without reasoning gives no call.
    """
    calls = []
    for answer in answers:
        found = split_steps(answer.reasoning)
        for first in range(0, len(found), STEPS_PER_CALL):
            texts = tuple(found[first : first + STEPS_PER_CALL])
            case = Case("steps", answer.lang, answer.query, texts)
            calls.append(Call(case, answer.query_id, answer.genre, (answer.arm,), first=first))
    return calls
