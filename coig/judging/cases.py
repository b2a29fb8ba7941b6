"""What a judge sees (a case), what it says (an opinion), and the methods that every judge must have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from coig.config.judging import Asked
from coig.llm.usage import NO_USAGE, Prices, Usage
from coig.records.judgment import JudgeFacts

Key = TypeVar("Key")


@dataclass(frozen=True)
class Case:
    """What a judge sees; nothing in it names an arm.

    Attributes:
        asked: pairs, ranking, rating or steps.
        lang: the query's language.
        task: the query's text.
        texts: the answers in the order in which they are shown, or consecutive steps of one chain of reasoning.
    """

    asked: Asked
    lang: str
    task: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Opinion:
    """What a judge says of a case: `value`, or else `failure`, which says why it says nothing.

    Attributes:
        value: `a`, `b` or `tie`; a rank for each text, 1 is best; {dimension: rating}; or a label for each step.
        soft: the probability that the first text of a pair wins, where a tie counts one half; None if not known.
        attempts: how often the judge was asked about this case.
        usage: tokens of all attempts.
    """

    value: Any
    soft: float | None = None
    failure: str | None = None
    attempts: int = 1
    usage: Usage = NO_USAGE


class Judge(Protocol):
    """A model or a rule that judges cases; it is constructed once for a command.

    Attributes:
        name: its name among the raters, unless the user gives another.
        can: what it can be asked.
        prices: of its tokens.
    """

    name: str
    can: tuple[Asked, ...]
    prices: Prices

    def describe(self, asked: Asked) -> JudgeFacts:
        """Return who the judge is, as far as that is known without asking it."""

    def open(self, trial: Case, earlier: JudgeFacts | None) -> JudgeFacts:
        """Make the judge ready for cases like `trial`, and return who it is.

        Args:
            earlier: who wrote the opinions that are there already; None if there are none.

        Raises ConfigError if the model or the server is not there.
        """

    def estimate(self, case: Case) -> Usage:
        """Return about how many tokens the judge reads and writes for a case."""

    def opinions(self, cases: Iterable[tuple[Key, Case]]) -> Iterator[list[tuple[Key, Opinion]]]:
        """Yield lists of (key, opinion) in any order, as soon as they are there; a key is the caller's own.

        Raises ConfigError if no further case can be judged.
        """
