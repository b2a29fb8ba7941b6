"""`engine=vllm`: generate with vLLM in an interpreter of its own, since vLLM pins other versions of torch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coig.config import Sampling
from coig.config.fields import local_path
from coig.data.tokenizer import location
from coig.errors import ConfigError
from coig.generation.completion import Answered, Completion, Request, Transcriber, too_long
from coig.generation.sampling import seed_of
from coig.generation.vllm_workers import Interpreter, Workers, find_interpreter
from coig.study.arm import Arm

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # the adapters' ranks that vLLM reserves memory for


class VLLMEngine:
    """An engine that generates with vLLM on all local GPUs, which each hold the model and share the requests.

    Args:
        python: path of an interpreter that has vLLM; None: this one.
        tensor_parallel_size: number of GPUs that hold one model together; 1: each holds a whole one.
        gpu_memory_utilization: the share of a GPU's memory to use.
        adapters: let LoRA arms answer by their adapter on the base model, which stays loaded from arm to arm, instead
            of by their merged export. The export is rounded, so answers can differ.

    Raises ConfigError for options out of range.
    """

    not_obeyed: tuple[str, ...] = ()

    def __init__(
        self, python: str | None, tensor_parallel_size: int, gpu_memory_utilization: float, adapters: bool
    ) -> None:
        if tensor_parallel_size < 1 or not 0 < gpu_memory_utilization <= 1:
            raise ConfigError("engine: tensor_parallel_size must be at least 1, gpu_memory_utilization above 0 up to 1")
        self.python = str(local_path(python)) if python else sys.executable
        self.gpus_per_model, self.memory_share, self.adapters = tensor_parallel_size, gpu_memory_utilization, adapters
        self.interpreter: Interpreter | None = None
        self.workers: Workers | None = None

    def load(self, arm: Arm, tokenizer: Any, sampling: Sampling, seed: int) -> None:
        """Load the weights that an arm answers with, its own or its adapter's base, unless loaded like that.

        Other weights are unloaded first. The settings hold for the answers that follow. Raises ConfigError if the
        interpreter has no vLLM that fits, or the weights cannot be loaded or are not those that were trained.
        """
        self.interpreter = self.interpreter or find_interpreter(self.python)
        arm.check_weights()
        self.sampling, self.seed = sampling, seed
        self.ends = arm.end_tokens()
        self.transcriber = Transcriber(tokenizer, self.ends, sampling)
        self.adapter = self._adapter(arm)
        self.version = self.interpreter.version + (", adapter on its base" if self.adapter else "")
        shares = {"tensor_parallel_size": self.gpus_per_model, "gpu_memory_utilization": self.memory_share}
        settings = shares | _weights(arm, self.adapter)
        if self.workers is None or self.workers.settings != settings:
            if self.workers:
                self.workers.stop()
            self.workers = Workers(self.interpreter, self.interpreter.group_devices(self.gpus_per_model), settings)

    def answers(self, requests: list[Request]) -> Iterator[list[Answered]]:
        """Yield lists of (request, completion) in any order, as soon as they are finished.

        A request that exceeds the model's positions, or that vLLM refuses, gets a failed completion. Raises ConfigError
        if vLLM fails.
        """
        assert self.workers is not None
        asked = []
        for request in requests:
            if problem := too_long(request, self.sampling, self.workers.positions):
                yield [(request, Completion.failed(problem))]
            else:
                asked.append(request)
        for reply in self.workers.replies([self._message(number, request) for number, request in enumerate(asked)]):
            request = asked[reply["id"]]
            if "refused" in reply:
                yield [(request, Completion.failed(reply["refused"]))]
            else:
                yield [(request, self.transcriber.completion(reply["ids"], request.opening))]

    def _adapter(self, arm: Arm) -> Path | None:
        """Return the folder of the LoRA adapter that an arm answers with; None if it answers with its export.

        It is None without the option `adapters`, without LoRA or a saved adapter, for a base with random weights, and
        for a rank above vLLM's.
        """
        folder, model = arm.folder / "adapter", arm.config().model
        if not self.adapters or model.lora is None or not folder.exists():
            return None
        fits = model.weights == "pretrained" and model.lora.rank <= RANKS[-1]
        return folder.absolute() if fits else None

    def _message(self, number: int, request: Request) -> dict[str, Any]:
        """Return a request as `vllm_worker.generate` reads it, with `number` as its id."""
        sampling = self.sampling
        return {
            "id": number,
            "prompt": request.prompt,
            "adapter": str(self.adapter) if self.adapter else None,
            "sampling": {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "repetition_penalty": sampling.repetition_penalty,
                "seed": seed_of(self.seed, request.query.id, request.sample),
                "max_tokens": sampling.max_new_tokens,
                "stop_token_ids": self.ends,
                "detokenize": False,
            },
        }


def _weights(arm: Arm, adapter: Path | None) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM` that load an arm's export, or its base model if `adapter` is not None.

    The adapter's path is not among them: each request names it.
    """
    common = {
        # that of the export; by default vLLM rounds fp32 weights to bf16
        "dtype": json.loads((arm.model / "config.json").read_text(encoding="utf-8"))["dtype"],
        "max_model_len": -1,  # as many positions as the model has and the memory holds
        "skip_tokenizer_init": True,
        "language_model_only": True,
        "generation_config": "vllm",  # no end tokens and settings besides those of each request
    }
    if adapter is None:
        return {"model": str(arm.model.absolute())} | common
    model = arm.config().model
    assert model.lora is not None
    rank = next(rank for rank in RANKS if rank >= model.lora.rank)
    base = {"model": location(model.path), "revision": model.revision}
    return base | common | {"enable_lora": True, "max_lora_rank": rank}
