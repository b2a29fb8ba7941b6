"""Requests to an engine, completions of a model, and the limits that cut completions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coig.config import Limits
from coig.records.query import Query
from coig.text.think_tags import OPENING, REASONING_END


@dataclass(frozen=True)
class Request:
    """A request for one answer to a query.

    sample: which answer to the query, counted from 0.
    prompt: the prompt's token ids, rendered as in training.
    opening: the opened think block that the prompt ends with and the completion continues; empty without one.
    """

    query: Query
    sample: int
    prompt: list[int]
    opening: str = ""


@dataclass(frozen=True)
class Completion:
    """The text that a model wrote to one prompt. Token counts exclude the end token; `error`: why there is no text."""

    text: str
    reasoning_tokens: int
    answer_tokens: int
    finish_reason: Literal["stop", "length", "error"]
    error: str | None = None

    @classmethod
    def failed(cls, error: str) -> Completion:
        """Make a completion without text, for a request that failed because of `error`."""
        return cls("", 0, 0, "error", error)


Answered = tuple[Request, Completion]


def too_long(request: Request, limits: Limits, positions: int) -> str | None:
    """Return why prompt and longest answer exceed the model's number of positions; None if they do not."""
    tokens, longest = len(request.prompt), limits.max_new_tokens
    if tokens + longest <= positions:
        return None
    return (
        f"its prompt of {tokens} tokens and sampling.max_new_tokens={longest} exceed the {positions} positions of the "
        "model; lower the limit or shorten the query"
    )


class Transcriber:
    """A decoder of token ids to completions that obey the limits.

    Args:
        ends: ids of the tokens that end a completion.
    """

    def __init__(self, tokenizer: Any, ends: Iterable[int], limits: Limits) -> None:
        self.tokenizer, self.ends, self.limits = tokenizer, set(ends), limits

    def is_over(self, ids: Sequence[int], opening: str = "") -> bool:
        """Tell whether ids contain an end token or reach a limit; `opening` is the request's."""
        if len(ids) >= self.limits.max_new_tokens or not self.ends.isdisjoint(ids):
            return True
        return self._allowed(ids, opening) < len(ids)

    def completion(self, ids: Sequence[int], opening: str = "") -> Completion:
        """Make a completion of generated ids: cut them at the first end token and at the limits, then decode them.

        It ends with "stop" if an end token came within the limits, otherwise with "length".
        """
        stop = next((place for place, token in enumerate(ids) if token in self.ends), None)
        ids = ids[:stop]
        allowed = min(self._allowed(ids, opening), self.limits.max_new_tokens)
        is_whole = stop is not None and len(ids) <= allowed
        ids = ids[:allowed]
        reasoning = self._reasoning_tokens(ids, opening)
        text = self.tokenizer.decode(ids, skip_special_tokens=False)
        return Completion(text, reasoning, len(ids) - reasoning, "stop" if is_whole else "length")

    def _allowed(self, ids: Sequence[int], opening: str) -> int:
        """Return how many of the ids, from the first on, max_reasoning_tokens and max_answer_tokens allow."""
        most_reasoning, most_answer = self.limits.max_reasoning_tokens, self.limits.max_answer_tokens
        if most_reasoning is None and most_answer is None:
            return len(ids)
        reasoning = self._reasoning_tokens(ids, opening)
        if most_reasoning is not None and reasoning > most_reasoning:
            return most_reasoning
        return len(ids) if most_answer is None else min(len(ids), reasoning + most_answer)

    def _reasoning_tokens(self, ids: Sequence[int], opening: str) -> int:
        """Count the tokens up to and with the end of the reasoning; all if it never ends, 0 if it does not begin."""
        if not (opening + self.tokenizer.decode(ids[:16])).lstrip().startswith(OPENING):
            return 0
        lengths = range(len(ids))
        return bisect_left(lengths, True, key=lambda length: REASONING_END in self.tokenizer.decode(ids[:length]))
