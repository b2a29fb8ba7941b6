"""The interface of engines: what run.py needs from `engine=hf`, `engine=vllm` and `engine=openai`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from coig.config import Sampling
from coig.generation.completion import Answered, Request
from coig.study.arm import Arm


class Engine(Protocol):
    """A program that generates answers; a command constructs it once and loads one arm after another.

    version: of the program that generates; known after `load`.
    not_obeyed: the sampling settings that it ignores, each with the reason; known after `load`.
    """

    version: str
    not_obeyed: tuple[str, ...]

    def load(self, arm: Arm, tokenizer: Any, sampling: Sampling, seed: int) -> None:
        """Prepare to answer with an arm's weights and these settings, in place of the arm before.

        Args:
            seed: the run's; each answer is seeded by it, the query's id and the sample.

        Raises ConfigError if the model or server cannot be reached, or is not the arm's.
        """

    def answers(self, requests: list[Request]) -> Iterator[list[Answered]]:
        """Yield lists of (request, completion) in any order, as soon as they are finished.

        A request that the model cannot answer gets a failed completion. Raises ConfigError if no further request can
        be answered.
        """
