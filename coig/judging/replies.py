"""Say which reply a chat model must give about a case, and turn its reply into an opinion."""

from __future__ import annotations

from functools import lru_cache
from string import ascii_uppercase
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from coig.judging.cases import Case, Opinion
from coig.llm.chat import Reply
from coig.records.label import Behaviour

# the paper's five dimensions
DIMENSIONS = (
    "content quality",
    "creative merit",
    "cultural appropriateness",
    "task fulfilment",
    "overall preference",
)
WINNERS = {"A": "a", "B": "b", "tie": "tie"}  # what a judge replies → value of the record


class Verdict(BaseModel):
    """Which of two answers is better."""

    verdict: Literal["A", "B", "tie"]


def reply_to(case: Case) -> type[BaseModel]:
    """Return the pydantic model of a reply to a case: a verdict on a pair, or one choice for each text or dimension.

    The choices are ratings from 0 to 3, ranks from 1 on, or behaviours.
    """
    if case.asked == "pairs":
        return Verdict
    if case.asked == "rating":
        return _choices(DIMENSIONS, Literal[0, 1, 2, 3])
    if case.asked == "ranking":
        return _choices(labels_of(case), Literal[tuple(range(1, len(case.texts) + 1))])
    return _choices(labels_of(case), Behaviour)


@lru_cache  # making a model takes longer than using it
def _choices(names: tuple[str, ...], choices: Any) -> type[BaseModel]:
    """Return a pydantic model with a field for each name (as its alias), all with the same choices; cached."""
    fields: dict[str, Any] = {f"field_{place}": (choices, Field(alias=name)) for place, name in enumerate(names)}
    return create_model("Reply", **fields)


def labels_of(case: Case) -> tuple[str, ...]:
    """Return what a case's texts are called: A, B …, or 1, 2 … for steps."""
    names = map(str, range(1, len(case.texts) + 1)) if case.asked == "steps" else ascii_uppercase[: len(case.texts)]
    return tuple(names)


def tags_of(case: Case) -> list[str]:
    """Return the names of the tags between which a case's texts stand in a prompt, such as `answer_A`, `step_1`."""
    if case.asked == "rating":
        return ["answer"]
    return [f"{'step' if case.asked == 'steps' else 'answer'}_{label}" for label in labels_of(case)]


def opinion_of(case: Case, reply: Reply[BaseModel]) -> Opinion:
    """Return a model's reply to a case as an opinion; a reply without value gives the failure.

    The verdict on a pair has the probability that A wins as `soft` if the server gave log-probabilities.
    """
    facts: dict[str, Any] = {"failure": reply.failure, "attempts": reply.attempts, "usage": reply.usage}
    if reply.value is None:
        return Opinion(None, **facts)
    said = reply.value.model_dump(by_alias=True)
    if case.asked == "pairs":
        odds = reply.probabilities
        soft = odds["A"] + odds["tie"] / 2 if odds else None
        return Opinion(WINNERS[said["verdict"]], soft, **facts)
    if case.asked == "rating":
        return Opinion({name: float(rating) for name, rating in said.items()}, **facts)
    return Opinion(list(said.values()), **facts)
