"""`engine=hf`: transformers' own decoding, in this process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, DynamicCache, GenerationConfig, LogitsProcessorList
from transformers.utils.logging import disable_progress_bar

from coig.config import Sampling
from coig.errors import ConfigError, first_line
from coig.generation.completion import Answered, Completion, Request, Transcriber
from coig.generation.sampling import SeededSampling, seed_of
from coig.study.arm import Arm

STRETCH = 32  # tokens; shorter ones drop ended rows sooner, and start decoding more often
# tokens per batch: on a CPU more were slower (benchmarks/generation.py), for each step copies the whole cache; on a GPU
# so many take 7.5 GB with a model of 7B parameters
BUDGET = {"cpu": 32_768, "cuda": 131_072}


class HuggingFaceEngine:
    """Answers with an arm's exported model.

    Args:
        tokens_per_batch: room for prompts and answers of a batch together; None: what suits the device.
    """

    version = transformers.__version__
    not_obeyed: tuple[str, ...] = ()

    def __init__(self, arm: Arm, tokenizer: Any, sampling: Sampling, seed: int, tokens_per_batch: int | None) -> None:
        if tokens_per_batch is not None and tokens_per_batch < 1:
            raise ConfigError(f"engine.tokens_per_batch={tokens_per_batch}: must be at least 1")
        disable_progress_bar()  # of loading one file
        # from 5.24 on `cache` is its name, but this is the one that every transformers 5 takes
        warnings.filterwarnings("ignore", message=".*`past_key_values` is deprecated.*")
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.sampling, self.seed = sampling, seed
        self.tokens_per_batch = tokens_per_batch or BUDGET[self.device]
        try:
            model = AutoModelForCausalLM.from_pretrained(arm.model, dtype="auto")
        except (OSError, SafetensorError) as error:
            raise ConfigError(
                f"{arm.model}: missing or damaged ({first_line(error)}); train.py with overwrite=true trains it anew"
            ) from None
        self.model = model.to(self.device).eval()
        self.context = self.model.config.get_text_config().max_position_embeddings
        own = self.model.generation_config
        self.transcriber = Transcriber(tokenizer, own.eos_token_id, sampling)
        # in place of the model's own, which would fill in whatever a call leaves open
        self.model.generation_config = GenerationConfig(
            do_sample=False,
            repetition_penalty=sampling.repetition_penalty,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id,
        )

    def answers(self, requests: list[Request]) -> Iterator[list[Answered]]:
        """Yield the completions of all requests in no set order, some at a time, as soon as they have ended."""
        fitting = []
        for request in requests:
            if problem := self._too_long(request):
                yield [(request, Completion.failed(problem))]
            else:
                fitting.append(request)
        for batch in self._batches(fitting):
            try:
                yield from self._decoded(batch)
            except torch.OutOfMemoryError:
                raise ConfigError(
                    f"engine.tokens_per_batch={self.tokens_per_batch}: too much for this GPU's memory at {len(batch)} "
                    "answers at a time; lower it and run the same command again, finished answers stay"
                ) from None

    def _too_long(self, request: Request) -> str | None:
        tokens, limit, context = len(request.prompt), self.sampling.max_new_tokens, self.context
        if tokens + limit <= context:
            return None
        return (
            f"its prompt of {tokens} tokens and sampling.max_new_tokens={limit} exceed the {context} positions of the "
            "model; lower the limit or shorten the query"
        )

    def _batches(self, requests: list[Request]) -> Iterator[list[Request]]:
        """Yield requests of like length together, as many as the budget holds and at least one."""
        batch: list[Request] = []
        for request in sorted(requests, key=lambda request: len(request.prompt)):
            width = len(request.prompt) + self.sampling.max_new_tokens
            if batch and (len(batch) + 1) * width > self.tokens_per_batch:
                yield batch
                batch = []
            batch.append(request)
        if batch:
            yield batch

    @torch.inference_mode()
    def _decoded(self, batch: list[Request]) -> Iterator[list[Answered]]:
        """Decode the batch `STRETCH` tokens at a time; between two stretches the rows that have ended leave it."""
        width = max(len(request.prompt) for request in batch)
        # in front of a shorter prompt stands its own first token, masked: a penalty for repetition sees no other
        before = [width - len(request.prompt) for request in batch]
        padded = [[r.prompt[0]] * count + r.prompt for r, count in zip(batch, before, strict=True)]
        ids = torch.tensor(padded, device=self.device)
        mask = torch.tensor([[0] * count + [1] * (width - count) for count in before], device=self.device)
        cache = DynamicCache(config=self.model.config)
        sampler = SeededSampling(self.sampling, [seed_of(self.seed, r.query.id, r.sample) for r in batch])
        while batch:
            ids = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                max_new_tokens=min(STRETCH, self.sampling.max_new_tokens + width - ids.shape[1]),
                logits_processor=LogitsProcessorList([sampler] if self.sampling.temperature else []),
            )
            rows = list(zip(batch, ids[:, width:].tolist(), strict=True))
            is_over = [self.transcriber.is_over(written, request.opening) for request, written in rows]
            going = [place for place, over in enumerate(is_over) if not over]
            if len(going) < len(batch):
                ended = sorted(set(range(len(batch))) - set(going))
                yield [(r, self.transcriber.completion(text, r.opening)) for r, text in map(rows.__getitem__, ended)]
                kept = torch.tensor(going, dtype=torch.long, device=self.device)
                cache.batch_select_indices(kept)
                ids, mask, batch = ids[kept], mask[kept], [batch[place] for place in going]
                sampler.keep(going)
            mask = torch.nn.functional.pad(mask, (0, ids.shape[1] - mask.shape[1]), value=1)
