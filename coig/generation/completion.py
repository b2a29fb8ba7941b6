"""What is asked of an engine, and what a model wrote: cut into reasoning and answer, within the limits."""

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
    """One answer to one query: the `sample`-th, counted from 0.

    prompt: its ids, rendered as in training; opening: the think block that it ends with and the answer goes on with.
    """

    query: Query
    sample: int
    prompt: list[int]
    opening: str = ""


@dataclass(frozen=True)
class Completion:
    """What a model wrote to one prompt; token counts leave the end token out. An error says why there is no text."""

    text: str
    reasoning_tokens: int
    answer_tokens: int
    finish_reason: Literal["stop", "length", "error"]
    error: str | None = None

    @classmethod
    def failed(cls, error: str) -> Completion:
        return cls("", 0, 0, "error", error)


Answered = tuple[Request, Completion]


class Transcriber:
    """Makes completions of token ids.

    Args:
        ends: the tokens that end a completion.
    """

    def __init__(self, tokenizer: Any, ends: Iterable[int], limits: Limits) -> None:
        self.tokenizer, self.ends, self.limits = tokenizer, set(ends), limits

    def is_over(self, ids: Sequence[int], opening: str = "") -> bool:
        """Tell whether the end or a limit has been reached; `opening` is the request's."""
        if len(ids) >= self.limits.max_new_tokens or not self.ends.isdisjoint(ids):
            return True
        return self._allowed(ids, opening) < len(ids)

    def completion(self, ids: Sequence[int], opening: str = "") -> Completion:
        """Make a completion of all ids that were written, an end token included; what is beyond a limit is cut off."""
        stop = next((place for place, token in enumerate(ids) if token in self.ends), None)
        ids = ids[:stop]
        allowed = min(self._allowed(ids, opening), self.limits.max_new_tokens)
        is_whole = stop is not None and len(ids) <= allowed
        ids = ids[:allowed]
        reasoning = self._reasoning_tokens(ids, opening)
        text = self.tokenizer.decode(ids, skip_special_tokens=False)
        return Completion(text, reasoning, len(ids) - reasoning, "stop" if is_whole else "length")

    def _allowed(self, ids: Sequence[int], opening: str) -> int:
        """Count the ids that the limits of reasoning and answer leave."""
        most_reasoning, most_answer = self.limits.max_reasoning_tokens, self.limits.max_answer_tokens
        if most_reasoning is None and most_answer is None:
            return len(ids)
        reasoning = self._reasoning_tokens(ids, opening)
        if most_reasoning is not None and reasoning > most_reasoning:
            return most_reasoning
        return len(ids) if most_answer is None else min(len(ids), reasoning + most_answer)

    def _reasoning_tokens(self, ids: Sequence[int], opening: str) -> int:
        """Count the tokens up to the end of the reasoning, all of them if it never ends."""
        if not (opening + self.tokenizer.decode(ids[:16])).lstrip().startswith(OPENING):
            return 0
        lengths = range(len(ids))
        return bisect_left(lengths, True, key=lambda length: REASONING_END in self.tokenizer.decode(ids[:length]))
