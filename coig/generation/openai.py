"""`engine=openai`: ask a server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, `transformers serve`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import openai

from coig.config import Sampling
from coig.errors import ConfigError, first_line
from coig.generation.completion import Answered, Completion, Request, Transcriber
from coig.generation.sampling import seed_of
from coig.generation.servers import SERVERS
from coig.generation.trials import NAMED, try_settings
from coig.llm.server import Server, describe_failure
from coig.study.arm import Arm

TRIAL = "1 2 3 1 2 3 1 2"  # prompt of trials; its likely continuation repeats itself
EXPORT = re.compile(r"(^|/)(?P<study>[^/]+)/(?P<export>[^/]+(/points/step-\d+)?)/model$")  # of an arm or of a point


class OpenAIEngine:
    """An engine that sends prompts, rendered exactly as in training, to `/v1/completions`.

    Token counts are those of the ids that the server returns, or, if it returns text only, of the text in the arm's
    tokenizer. Requests carry seeds, but only the server decides whether an answer depends on other requests.

    Args:
        base_url: the server's address with `/v1`.
        server: a key of SERVERS. Short trial requests test which settings a server of kind `other` obeys.
        model: the server's name for the model, in which `{arm}` becomes the arm's name; None: the export's path.
        names: the names that a server of kind `other` has for `top_k` and `repetition_penalty`.
        concurrency: most requests in flight at a time; None: as many as suit the kind of server.
        timeout: seconds for one answer.
        retries: how often to repeat a refused or failed request, each time after a longer wait.

    Raises ConfigError for wrong options.
    """

    def __init__(
        self,
        base_url: str,
        server: str,
        model: str | None,
        concurrency: int | None,
        timeout: float,
        retries: int,
        names: Mapping[str, str] | None = None,
    ) -> None:
        _check_options(server, names or {})
        self.kind, self.server, self.name, self.names = SERVERS[server], server, model, names or {}
        most = self.kind.concurrency if concurrency is None else concurrency
        self.base_url, self.address = base_url, Server("engine", base_url, most, timeout, retries)

    def load(self, arm: Arm, tokenizer: Any, sampling: Sampling, seed: int) -> None:
        """Check that the server serves an arm's model, and keep the arm's settings for the answers that follow.

        The server must serve `engine.model` with `{arm}` as the arm's name, or, if that is null, the path of the arm's
        export. Sets `version`, and `not_obeyed`, the settings of sampling that the server ignores: they are known for
        its kind, and only a server of kind `other` is tried out. Raises ConfigError if the server does not answer, is
        of another kind, or serves another model or another arm's export.
        """
        self.tokenizer, self.sampling, self.seed = tokenizer, sampling, seed
        self.model = self.name.replace("{arm}", arm.name) if self.name else str(arm.model.absolute())
        self.ends = arm.end_tokens()
        self.transcriber = Transcriber(tokenizer, self.ends, sampling)
        with self.address.client() as client:
            self._check_server(client, arm)
            self.version = self._version(client)
            self.not_obeyed = self._not_obeyed(client)

    def answers(self, requests: list[Request]) -> Iterator[list[Answered]]:
        """Send all requests, many at a time; yield lists of (request, completion) as they finish, in any order.

        A request that fails gets a failed completion. Raises ConfigError if the server is gone, or after too many
        errors in a row.
        """
        for told in self.address.ask_all(requests, self._completion):
            yield [(request, _to_completion(reply)) for request, reply in told]

    def _check_server(self, client: openai.OpenAI, arm: Arm) -> None:
        """Raise ConfigError if no server answers, it is of another kind, or it serves another model or arm.

        A server of transformers loads any model on request, so it need not list the model.
        """
        served = self.address.models(client, f"start one, for example: vllm serve {self.model}")
        owners = {getattr(model, "owned_by", None) for model in served.values()}
        kinds = [name for name, kind in SERVERS.items() if kind.owner and kind.owner in owners]
        if kinds and self.server not in kinds:
            raise ConfigError(
                f"engine.server={self.server}: a server of {kinds[0]} answers at {self.base_url}, which names the "
                f"settings of sampling otherwise; give engine.server={kinds[0]}"
            )
        if self.server != "transformers" and self.model not in served:  # transformers loads any model on request
            raise ConfigError(
                f"engine.base_url={self.base_url}: serves {', '.join(served) or 'no model'}, not {self.model}; serve "
                "this arm's export, and if the server has a name of its own for it, give engine.model=<name>"
            )
        if other := _other_export(arm, getattr(served.get(self.model), "root", None)):
            raise ConfigError(
                f"engine.base_url={self.base_url}: what it serves as {self.model} is the export of {other}, not of "
                f"{arm.name}; serve {arm.model.absolute()}"
            )

    def _version(self, client: openai.OpenAI) -> str:
        """Return the name of the server's kind, followed by its version if the server reports one."""
        if self.kind.version is None:
            return self.server
        path, key = self.kind.version
        root = client.with_options(base_url=self.base_url.rstrip("/").removesuffix("/v1"))
        try:
            facts: Any = root.get(f"/{path}", cast_to=object)
            return f"{self.server} {facts[key]}"
        except (openai.OpenAIError, ValueError, KeyError, TypeError):
            return self.server

    def _not_obeyed(self, client: openai.OpenAI) -> tuple[str, ...]:
        """Return the settings that the server ignores, each with the reason: known for its kind, or found by trials.

        Only a server of kind `other` is tried, by short requests. Raises ConfigError if these fail.
        """
        if self.server != "other":
            return self.kind.not_obeyed(self.sampling)
        named = set(self.names.values())

        def write(settings: dict[str, Any]) -> str:
            """Return what the server writes to TRIAL with these settings."""
            extra = {name: value for name, value in settings.items() if name in named}
            plain = {name: value for name, value in settings.items() if name not in named}
            return _read(client.completions.create(model=self.model, prompt=TRIAL, **plain, extra_body=extra)).text

        try:
            return try_settings(write, self.sampling, self.names)
        except (openai.OpenAIError, ValueError) as error:
            raise ConfigError(
                f"engine.base_url={self.base_url}: trying its settings failed ({describe_failure(error)}); look at the "
                "server, or at engine.names"
            ) from None

    async def _completion(self, client: openai.AsyncOpenAI, request: Request) -> Completion:
        """Ask for one completion, and return it; a failed one if the server refuses or cannot take the prompt as text.

        Raises OpenAIError if the request fails in another way.
        """
        prompt = request.prompt if self.kind.takes_ids else self._as_text(request.prompt)
        if prompt is None:
            return Completion.failed("as text its prompt is not that of training; use a server that takes ids")
        try:
            reply = await client.completions.create(model=self.model, prompt=prompt, **self._settings(request))
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            return Completion.failed(describe_failure(error))
        except ValueError as error:  # no JSON
            raise openai.OpenAIError(f"the reply cannot be read ({first_line(error)})") from None
        text, ids, ended = _read(reply)
        if ids is None:
            ids = self.tokenizer(text, add_special_tokens=False).input_ids
        return self.transcriber.completion(ids + self.ends[:1] if ended else ids, request.opening)

    def _as_text(self, ids: list[int]) -> str | None:
        """Return a text that the tokenizer turns into exactly these ids; None if their own text gives others.

        That is so for prompts that spell a control token. The text lacks the first token if the tokenizer adds it to
        every text by itself.
        """
        for start in (0, 1):
            text: str = self.tokenizer.decode(ids[start:], clean_up_tokenization_spaces=False)
            if self.tokenizer(text).input_ids == ids:
                return text
        return None

    def _settings(self, request: Request) -> dict[str, Any]:
        """Return all settings of a request, none left to the server, which would take it from the model's config.

        The seed is of the query and the sample, so that it does not depend on other requests.
        """
        sampling = self.sampling
        extra = self.kind.settings(sampling, len(request.prompt), self.ends)
        return {
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed_of(self.seed, request.query.id, request.sample) % 2**31,
            "extra_body": extra | {name: getattr(sampling, key) for key, name in self.names.items()},
        }


def _check_options(server: str, names: Mapping[str, str]) -> None:
    """Raise ConfigError for an unknown kind of server, an unknown setting, or names for a kind other than `other`."""
    if server not in SERVERS:
        raise ConfigError(f"engine.server={server}: choose from {', '.join(SERVERS)}")
    if unknown := sorted(names.keys() - set(NAMED)):
        raise ConfigError(f"engine.names.{unknown[0]}: no such setting; names are given to {' and '.join(NAMED)}")
    if names and server != "other":
        raise ConfigError(f"engine.names: the names of engine.server={server} are known; leave engine.names out")


def _other_export(arm: Arm, root: str | None) -> str | None:
    """Return which other export of the study lies at `root`, the path of a server's model: `cw`, `cw/points/step-…`.

    Returns None if `root` is None, the arm's own export, or any other path.
    """
    found = EXPORT.search(Path(root or "").as_posix())
    own = arm.model.parent.relative_to(arm.config_file.parent.parent).as_posix()  # a point's is in its arm's folder
    return found["export"] if found and found["study"] == arm.study and found["export"] != own else None


class ServerReply(NamedTuple):
    """A server's reply. `ids` is None if it returns text only; `ended` is False if the limit of tokens cut it off."""

    text: str
    ids: list[int] | None
    ended: bool


def _read(reply: Any) -> ServerReply:
    """Return what a reply holds. Raises OpenAIError if it is no completion that ended by itself or at the limit."""
    choices = getattr(reply, "choices", None) or [None]
    text, reason = getattr(choices[0], "text", None), getattr(choices[0], "finish_reason", None)
    if not isinstance(text, str) or reason not in ("stop", "length"):
        raise openai.OpenAIError(f"the reply is no completion: {str(reply)[:80]!r}")
    return ServerReply(text, getattr(choices[0], "token_ids", None), reason == "stop")


def _to_completion(reply: Completion | openai.OpenAIError) -> Completion:
    """Return a completion unchanged, and a failed one that describes the error for an error of the client."""
    return Completion.failed(describe_failure(reply)) if isinstance(reply, openai.OpenAIError) else reply
