"""`engine=hf`: transformers' own decoding, in this process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, LogitsProcessorList
from transformers.utils.logging import disable_progress_bar

from coig.config import ConfigError
from coig.data.encoding import Encoder
from coig.data.examples import REASONING_END, REASONING_START
from coig.data.queries import Query
from coig.generation.sampling import SeededSampling
from coig.schema import Sampling
from coig.study import Arm

STRETCH = 32  # tokens; shorter ones drop ended rows sooner, and start decoding more often


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
        self._ends = set(self.model.generation_config.eos_token_id)
        self.encoder = Encoder(self.tokenizer, model["system_prompt"], model["template_arguments"])

    def answers(self, queries: list[Query], sampling: Sampling, seed: int) -> Iterator[list[tuple[Query, Completion]]]:
        """Batches of answers, queries of like length together."""
        prompts = {query.id: self.encoder.prompt_ids(query.query) for query in queries}
        by_length = sorted(queries, key=lambda query: len(prompts[query.id]))
        for start in range(0, len(by_length), self.batch_size):
            batch = by_length[start : start + self.batch_size]
            processor = SeededSampling(sampling, seed, [query.id for query in batch]) if sampling.temperature else None
            written = self._written([prompts[query.id] for query in batch], sampling.max_new_tokens, processor)
            yield [
                (query, self._completion(len(prompts[query.id]), ids))
                for query, ids in zip(batch, written, strict=True)
            ]

    @torch.inference_mode()
    def _written(self, prompts: list[list[int]], limit: int, processor: SeededSampling | None) -> list[list[int]]:
        """What the model writes behind each prompt, with the end token where it came to one.

        The batch is decoded `STRETCH` tokens at a time; between two stretches the rows that have ended leave it.
        """
        width = max(map(len, prompts))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=self.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.device)
        rows = torch.arange(len(prompts))  # which prompts the batch still holds
        cache = DynamicCache(config=self.model.config)
        written: list[list[int]] = [[] for _ in prompts]
        while len(rows) and (left := limit + width - ids.shape[1]):
            ids = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                max_new_tokens=min(STRETCH, left),
                logits_processor=LogitsProcessorList([processor] if processor else []),
                do_sample=False,
            )
            new = ids[:, width:].tolist()
            for row, tokens in zip(rows.tolist(), new, strict=True):
                written[row] = tokens
            going = [place for place, tokens in enumerate(new) if not self._ends.intersection(tokens)]
            if len(going) < len(rows):
                kept = torch.tensor(going, dtype=torch.long)
                cache.batch_select_indices(kept.to(self.device))
                ids, mask, rows = ids[kept], mask[kept], rows[kept]
                processor = processor.of(going) if processor else None
            mask = torch.nn.functional.pad(mask, (0, ids.shape[1] - mask.shape[1]), value=1)
        return written

    def _completion(self, prompt_tokens: int, ids: list[int]) -> Completion:
        stop = next((place for place, token in enumerate(ids) if token in self._ends), None)
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
