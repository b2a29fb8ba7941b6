"""What the tests of engines ask, and what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import AutoTokenizer

from coig.config import Sampling
from coig.data.encoding import Encoder
from coig.generation.completion import Completion, Request
from coig.records.query import Query
from coig.study.arm import Arm

SYSTEM = "Be kind."
GREEDY = Sampling(
    temperature=0,
    top_p=1,
    top_k=0,
    repetition_penalty=1,
    max_new_tokens=100,
    max_reasoning_tokens=None,
    max_answer_tokens=None,
)
NUCLEUS = GREEDY.model_copy(update={"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05})


def requests(arm: Arm, queries: Sequence[Query], samples: int = 1) -> list[Request]:
    encoder = Encoder(AutoTokenizer.from_pretrained(arm.model), SYSTEM)
    return [Request(query, sample, encoder.prompt_ids(query.query)) for query in queries for sample in range(samples)]


def completions(engine: Any, asked: list[Request]) -> dict[tuple[str, int], Completion]:
    """By query id and sample; each of them was answered once."""
    told = [one for batch in engine.answers(asked) for one in batch]
    assert len(told) == len(asked)
    return {(request.query.id, request.sample): completion for request, completion in told}
