"""`engine=hf`: generate with transformers, in this process."""

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

STRETCH = 32  # tokens per call of generate(); fewer drop finished rows sooner, but cost more calls
# tokens per batch. CPU: more were slower (benchmarks/generation.py), because each step copies the whole cache. GPU:
# they take 7.5 GB with a model of 7B parameters
BUDGET = {"cpu": 32_768, "cuda": 131_072}


class HuggingFaceEngine:
    """An engine that generates with an arm's exported model.

    Args:
        seed: the run's seed; each answer's generator is seeded with it, the query's id and the sample.
        tokens_per_batch: most tokens of a batch, prompts and longest answers together; None: `BUDGET` of the device.

    Raises ConfigError if the model is missing or damaged.
    """

    version = transformers.__version__
    not_obeyed: tuple[str, ...] = ()

    def __init__(self, arm: Arm, tokenizer: Any, sampling: Sampling, seed: int, tokens_per_batch: int | None) -> None:
        if tokens_per_batch is not None and tokens_per_batch < 1:
            raise ConfigError(f"engine.tokens_per_batch={tokens_per_batch}: must be at least 1")
        disable_progress_bar()  # of loading one file
        # transformers 5.24 renamed the argument to `cache`, but every transformers 5 accepts the old name
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
        # replaces the model's own config, which would set everything that a call of generate() leaves out
        self.model.generation_config = GenerationConfig(
            do_sample=False,
            repetition_penalty=sampling.repetition_penalty,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id,
        )

    def answers(self, requests: list[Request]) -> Iterator[list[Answered]]:
        """Yield lists of (request, completion) in any order, as soon as they are finished.

        A request that exceeds the model's positions gets a failed completion. Raises ConfigError if GPU memory runs
        out.
        """
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
        """Return why a request does not fit into the model's positions; None if it does."""
        tokens, limit, context = len(request.prompt), self.sampling.max_new_tokens, self.context
        if tokens + limit <= context:
            return None
        return (
            f"its prompt of {tokens} tokens and sampling.max_new_tokens={limit} exceed the {context} positions of the "
            "model; lower the limit or shorten the query"
        )

    def _batches(self, requests: list[Request]) -> Iterator[list[Request]]:
        """Yield batches of requests with similar lengths, each within `tokens_per_batch` or of one request."""
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
        """Generate `STRETCH` tokens at a time; after each stretch yield the finished rows and drop them."""
        width = max(len(request.prompt) for request in batch)
        # pads shorter prompts with their own first token: the repetition penalty also counts masked tokens
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
