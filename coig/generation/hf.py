"""`engine=hf`: transformers' own decoding, in this process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from coig.config import ConfigError
from coig.data.encoding import Encoder
from coig.data.examples import REASONING_END, REASONING_START
from coig.data.queries import Query
from coig.generation.sampling import decoding
from coig.schema import Sampling
from coig.study import Arm


@dataclass(frozen=True)
class Completion:
    """What a model wrote to one prompt; token counts leave the end token out."""

    text: str
    prompt_tokens: int
    reasoning_tokens: int
    answer_tokens: int
    finish_reason: Literal["stop", "length"]


class HuggingFaceEngine:
    """Answers with an arm's exported model, its prompts rendered exactly as in training."""

    def __init__(self, arm: Arm, batch_size: int) -> None:
        if batch_size < 1:
            raise ConfigError(f"engine.batch_size={batch_size}: must be at least 1")
        disable_progress_bar()  # of loading one file
        self.batch_size = batch_size
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(arm.model)
        self.model = AutoModelForCausalLM.from_pretrained(arm.model, dtype="auto").to(self.device).eval()
        model = arm.settings()["model"]
        self.encoder = Encoder(self.tokenizer, model["system_prompt"], model["template_arguments"])

    def answers(self, queries: list[Query], sampling: Sampling, seed: int) -> Iterator[list[tuple[Query, Completion]]]:
        """Batches of answers, queries of like length together."""
        prompts = {query.id: self.encoder.prompt_ids(query.query) for query in queries}
        by_length = sorted(queries, key=lambda query: len(prompts[query.id]))
        for start in range(0, len(by_length), self.batch_size):
            batch = by_length[start : start + self.batch_size]
            how = decoding(sampling, seed, [query.id for query in batch])
            completions = self._complete([prompts[query.id] for query in batch], sampling.max_new_tokens, how)
            yield list(zip(batch, completions, strict=True))

    @torch.inference_mode()
    def _complete(self, prompts: list[list[int]], max_new_tokens: int, how: dict[str, Any]) -> list[Completion]:
        width = max(map(len, prompts))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=self.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.device)
        output = self.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=max_new_tokens, **how)
        new = output[:, width:].tolist()
        return [self._completion(len(prompt), row) for prompt, row in zip(prompts, new, strict=True)]

    def _completion(self, prompt_tokens: int, ids: list[int]) -> Completion:
        ends = self.model.generation_config.eos_token_id
        stop = next((index for index, token in enumerate(ids) if token in ends), None)
        ids = ids[:stop]
        reasoning = self._reasoning_tokens(ids)
        return Completion(
            text=self.tokenizer.decode(ids, skip_special_tokens=False),
            prompt_tokens=prompt_tokens,
            reasoning_tokens=reasoning,
            answer_tokens=len(ids) - reasoning,
            finish_reason="length" if stop is None else "stop",
        )

    def _reasoning_tokens(self, ids: list[int]) -> int:
        """How many tokens stand up to the end of the reasoning, all if it never ends."""
        if not self.tokenizer.decode(ids[:16]).lstrip().startswith(REASONING_START.rstrip()):
            return 0
        lengths = range(len(ids))
        return bisect_left(lengths, True, key=lambda length: REASONING_END in self.tokenizer.decode(ids[:length]))
