"""`engine=openai`: any server that speaks OpenAI's protocol: vLLM, SGLang, `transformers serve`."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any, Literal

import openai

from coig.config import Sampling
from coig.errors import ConfigError, first_line
from coig.generation.completion import Answered, Completion, Request, Transcriber
from coig.generation.sampling import seed_of
from coig.study.arm import Arm

TOO_MANY = 8  # errors in a row: then it is not the queries


class OpenAIEngine:
    """Answers through `/v1/completions`: prompts are rendered here, exactly as in training.

    Counts are of the text as this arm's tokenizer cuts it, for servers send no ids. Sampled answers are seeded, yet
    whether they depend on the requests around them is the server's affair.

    Args:
        base_url: of the server, `/v1` included.
        server: `vllm` is sent the ids of a prompt, which cannot be misread; `transformers` takes only text.
        model: what the server calls it; None: the absolute path of the arm's export.
        concurrency: how many requests are under way at a time.
        timeout: seconds for one answer.
        retries: of a refused or failed request, each after a longer wait.
    """

    version = None  # of the server: the protocol does not tell

    def __init__(
        self,
        arm: Arm,
        tokenizer: Any,
        sampling: Sampling,
        seed: int,
        base_url: str,
        server: Literal["vllm", "transformers"],
        model: str | None,
        concurrency: int,
        timeout: float,
        retries: int,
    ) -> None:
        if server not in ("vllm", "transformers"):
            raise ConfigError(f"engine.server={server}: choose from vllm, transformers")
        if concurrency < 1 or timeout <= 0 or retries < 0:
            raise ConfigError("engine: concurrency and timeout must be more than 0, retries at least 0")
        self.tokenizer, self.sampling, self.seed = tokenizer, sampling, seed
        self.base_url, self.server, self.concurrency = base_url, server, concurrency
        self.model = model or str(arm.model.absolute())
        own = arm.generation_config()
        self.ends, self.pad = own["eos_token_id"], own["pad_token_id"]
        self.transcriber = Transcriber(tokenizer, self.ends, sampling)
        key = os.environ.get("OPENAI_API_KEY", "none")
        self.client = openai.AsyncOpenAI(base_url=base_url, api_key=key, timeout=timeout, max_retries=retries)
        self._check_server(openai.OpenAI(base_url=base_url, api_key=key, timeout=min(timeout, 30), max_retries=0))

    def answers(self, requests: list[Request]) -> Iterator[list[Answered]]:
        """The completions as they come. Raises ConfigError, after these, once nothing but errors comes."""
        loop = asyncio.new_event_loop()
        free = asyncio.Semaphore(self.concurrency)
        tasks = {loop.create_task(self._completion(request, free)): request for request in requests}
        pending, failed = set(tasks), 0  # in a row
        try:
            while pending:
                done, pending = loop.run_until_complete(asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED))
                batch = []
                for task in done:
                    error = task.exception()
                    if isinstance(error, openai.OpenAIError):
                        batch.append((tasks[task], Completion.failed(_described(error))))
                        failed += 1
                    else:
                        batch.append((tasks[task], task.result()))
                        failed = 0
                yield batch
                if failed >= TOO_MANY:
                    raise ConfigError(
                        f"engine.base_url={self.base_url}: {failed} requests in a row have failed, the last with "
                        f"{batch[-1][1].error}; look at the server, then run the same command again, answers stay"
                    )
        finally:
            for task in pending:  # of an interrupted run
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(self.client.close())
            loop.close()

    def _check_server(self, client: openai.OpenAI) -> None:
        """Raises ConfigError if no server answers, or one that serves another model."""
        try:
            with client:
                served = [model.id for model in client.models.list()]
        except (openai.OpenAIError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"engine.base_url={self.base_url}: no server that speaks OpenAI's protocol answers there "
                f"({_described(error)}); start one, for example: vllm serve {self.model}"
            ) from None
        if self.server == "vllm" and self.model not in served:
            raise ConfigError(
                f"engine.base_url={self.base_url}: serves {', '.join(served) or 'no model'}, not {self.model}; serve "
                "this arm's export, and if the server has a name of its own for it, give engine.model=<name>"
            )

    async def _completion(self, request: Request, free: asyncio.Semaphore) -> Completion:
        """An answer, or why this query has none. Raises OpenAIError for what is the server's fault."""
        prompt: Any = request.prompt
        if self.server == "transformers":
            prompt = self.tokenizer.decode(request.prompt)
            if self.tokenizer(prompt).input_ids != request.prompt:  # it spells a control token, which would become one
                return Completion.failed("as text its prompt is not that of training; use a server that takes ids")
        try:
            async with free:
                reply = await self.client.completions.create(model=self.model, prompt=prompt, **self._settings(request))
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            return Completion.failed(_described(error))
        except ValueError as error:  # no JSON
            raise openai.OpenAIError(f"the reply cannot be read ({first_line(error)})") from None
        text, ended = _read(reply)
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        return self.transcriber.completion(ids + self.ends[:1] if ended else ids, request.opening)

    def _settings(self, request: Request) -> dict[str, Any]:
        """All that bears on the answer, for a server fills in the model's own settings for what is left open."""
        sampling = self.sampling
        beyond: dict[str, Any] = {"top_k": sampling.top_k, "repetition_penalty": sampling.repetition_penalty}
        if self.server == "transformers":
            how = {"do_sample": bool(sampling.temperature), "eos_token_id": self.ends, "pad_token_id": self.pad}
            extra = {"generation_config": json.dumps(beyond | how)}
        else:
            extra = beyond | {"top_k": sampling.top_k or -1, "skip_special_tokens": False}
        return {
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed_of(self.seed, request.query.id, request.sample) % 2**31,
            "extra_body": extra,
        }


def _read(reply: Any) -> tuple[str, bool]:
    """The text of a reply, and whether it came to its end. Raises OpenAIError if it is no completion."""
    choices = getattr(reply, "choices", None) or [None]
    text, reason = getattr(choices[0], "text", None), getattr(choices[0], "finish_reason", None)
    if not isinstance(text, str) or reason not in ("stop", "length"):
        raise openai.OpenAIError(f"the reply is no completion: {str(reply)[:80]!r}")
    return text, reason == "stop"


def _described(error: Exception) -> str:
    """Describe an error of OpenAI's client: the server's own words, or the cause of a failed connection."""
    said = f"{type(error).__name__}: {first_line(error)}"
    if isinstance(error, openai.APIStatusError):
        said += f" {' '.join(error.response.text.split())}"
    elif isinstance(error.__cause__, Exception):
        said += f" ({first_line(error.__cause__)})"
    return said[:300]
