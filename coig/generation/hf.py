"""`engine=hf`: generate with transformers, in this process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, DynamicCache, GenerationConfig, LogitsProcessorList
from transformers.utils.logging import disable_progress_bar

from coig.config import Sampling
from coig.data.tokenizer import NO_CODE, say_why
from coig.errors import ConfigError, system_problem
from coig.files.limits import parse_json, read_whole
from coig.generation.completion import Answered, Completion, Request, Transcriber, too_long
from coig.generation.sampling import SeededSampling, seed_of
from coig.models.heap import keep_freed_memory
from coig.study.arm import Arm

STRETCH = 32  # tokens per call of generate(); fewer drop finished rows sooner, but cost more calls
CPU_BUDGET = 32_768  # tokens; more were slower (benchmarks/generation.py), because each step copies the whole cache
GPU_SHARE = 0.5  # of the free memory that a batch may fill; the rest is for logits and the allocator's gaps


class HuggingFaceEngine:
    """An engine that generates with an arm's exported model.

    Args:
        tokens_per_batch: most tokens of a batch, prompts and longest answers together; None: what suits the device.

    Raises ConfigError if that is below 1.
    """

    version: str = transformers.__version__
    not_obeyed: tuple[str, ...] = ()

    def __init__(self, tokens_per_batch: int | None) -> None:
        if tokens_per_batch is not None and tokens_per_batch < 1:
            raise ConfigError(f"engine.tokens_per_batch={tokens_per_batch}: must be at least 1")
        disable_progress_bar()  # of loading one file
        # transformers 5.24 renamed the argument to `cache`, but every transformers 5 accepts the old name
        warnings.filterwarnings("ignore", message=".*`past_key_values` is deprecated.*")
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.chosen_budget = tokens_per_batch
        if self.device == "cpu":
            keep_freed_memory()

    def load(self, arm: Arm, tokenizer: Any, sampling: Sampling, seed: int) -> None:
        """Load an arm's exported model in place of the one before.

        Raises ConfigError if it is missing or damaged.
        """
        self.sampling, self.seed = sampling, seed
        self.model: Any = None  # frees the memory of the arm before
        arm.check_weights()
        try:
            _refuse_kernels(arm.model / "config.json")
            model = AutoModelForCausalLM.from_pretrained(arm.model, dtype="auto", use_safetensors=True, **NO_CODE)
        except Exception as error:  # a damaged config.json may raise anything
            if not isinstance(error, FileNotFoundError) and system_problem(error):
                raise
            raise ConfigError(
                f"{arm.model}: missing or damaged ({say_why(error)}); train.py with overwrite=true trains it anew"
            ) from None
        self.model = model.to(self.device).eval()
        self.tokens_per_batch = self.chosen_budget or fitting_tokens(self.model)
        self.context = self.model.config.get_text_config().max_position_embeddings
        own = self.model.generation_config
        self.transcriber = Transcriber(tokenizer, arm.end_tokens(), sampling)
        # replaces the model's own config, which would set everything that a call of generate() leaves out
        self.model.generation_config = GenerationConfig(
            do_sample=False,
            repetition_penalty=sampling.repetition_penalty,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id,
        )

    def answers(self, requests: list[Request]) -> Iterator[list[Answered]]:
        """Yield lists of (request, completion) in any order, as soon as they are finished.

        A request that exceeds the model's positions gets a failed completion. Raises ConfigError if memory runs out.
        """
        fitting = []
        for request in requests:
            if problem := too_long(request, self.sampling, self.context):
                yield [(request, Completion.failed(problem))]
            else:
                fitting.append(request)
        for batch in self._batches(fitting):
            try:
                yield from self._decode(batch)
            except torch.OutOfMemoryError:
                raise ConfigError(
                    f"engine.tokens_per_batch={self.tokens_per_batch}: too much for this GPU's memory at {len(batch)} "
                    "answers at a time; lower it and run the same command again, finished answers stay"
                ) from None

    def _batches(self, requests: list[Request]) -> Iterator[list[Request]]:
        """Sort requests by prompt length and yield them in batches within `tokens_per_batch`, or of one request."""
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
    def _decode(self, batch: list[Request]) -> Iterator[list[Answered]]:
        """Answer one batch: after every STRETCH tokens, yield the requests that are finished and go on without them."""
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


def _refuse_kernels(file: Path) -> None:
    """Raise ValueError if a model's config.json names a kernel of the hub, which transformers would download and run.

    An export of coig names none.
    """
    named = (str(value) for key, value in parse_json(read_whole(file)).items() if key.endswith("_implementation"))
    if kernel := next((name for name in named if "/" in name), None):
        raise ValueError(f"config.json asks for code of the hub, {kernel}")


def fitting_tokens(model: Any) -> int:
    """Return how many tokens of prompts and answers to put into a batch.

    On a GPU they fill GPU_SHARE of the memory that is free once CUDA's cache is emptied; on a CPU, CPU_BUDGET.
    """
    if model.device.type == "cpu":
        return CPU_BUDGET
    torch.cuda.empty_cache()  # what the arm before used
    free, _ = torch.cuda.mem_get_info(model.device)
    return max(1, int(GPU_SHARE * free / bytes_per_token(model.config.get_text_config(), model.dtype.itemsize)))


def bytes_per_token(config: Any, itemsize: int) -> int:
    """Return the bytes that a token of a batch takes: keys and values of all layers, and activations of one MLP.

    Args:
        config: a decoder's transformers config.
        itemsize: bytes of a number.
    """
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cached = 2 * config.num_hidden_layers * heads * head_size
    activations = 3 * config.intermediate_size  # gate, up and their product
    return int(itemsize * (cached + activations))
