"""A toy with the parts of vLLM that the worker uses: it answers with the first tokens of the prompt.

TOY_VERSION is its version, TOY_LOG a file to which it writes what it loads and who asks what, TOY_SECONDS what a step
takes.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__version__ = os.environ.get("TOY_VERSION", "0.32.0")
POSITIONS = 512


def log(*words: object) -> None:
    with Path(os.environ["TOY_LOG"]).open("a", encoding="utf-8") as stream:
        print(os.getpid(), os.environ.get("TOY_DEVICES"), *words, file=stream)


class SamplingParams:
    def __init__(self, **given: Any) -> None:
        self.given = given


class LLM:
    def __init__(self, **settings: Any) -> None:
        if settings["gpu_memory_utilization"] < 0.1:
            raise ValueError("No available memory for the cache blocks.\nTry increasing it.")
        if settings["gpu_memory_utilization"] < 0.2:
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does without memory
        if settings["gpu_memory_utilization"] < 0.3:
            raise RuntimeError("such a model is not supported")
        log("loads", Path(settings["model"]).parent.name, settings["dtype"])
        self.llm_engine = Engine()


class Engine:
    model_config = SimpleNamespace(max_model_len=POSITIONS)

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def add_request(self, name: str, prompt: dict[str, Any], params: SamplingParams, lora_request: Any) -> None:
        if len(prompt["prompt_token_ids"]) < 3:
            raise ValueError("too short a prompt")
        log("asks", params.given["seed"], lora_request and Path(lora_request.folder).parent.name)
        ids = [*prompt["prompt_token_ids"][:3], *params.given["stop_token_ids"][:1]]
        self.waiting.append(SimpleNamespace(request_id=name, finished=True, outputs=[SimpleNamespace(token_ids=ids)]))

    def has_unfinished_requests(self) -> bool:
        return bool(self.waiting)

    def step(self) -> list[Any]:
        time.sleep(float(os.environ.get("TOY_SECONDS", "0")))
        done, self.waiting = self.waiting[:1], self.waiting[1:]
        return done
