"""Send many requests to one server of OpenAI's protocol, and notice when it is gone or keeps failing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeGuard, TypeVar

import openai

from coig.errors import ConfigError, first_line

TOO_MANY = 8  # errors in a row that mean the server, not the requests, is at fault
PATIENCE = 30  # seconds for short questions about the server itself
NOBODY = "ConnectError"  # openai's cause where nothing accepts connections: of httpx or httpx2, by its version

Asked = TypeVar("Asked")
Told = TypeVar("Told")


@dataclass(frozen=True)
class Server:
    """A server's address, and how to send it requests. The environment variable OPENAI_API_KEY holds its key, if any.

    Attributes:
        node: the config node that sets these values, for messages.
        base_url: the address with `/v1`.
        concurrency: most requests in flight at a time.
        timeout: seconds for one reply.
        retries: how often to repeat a refused or failed request, each time after a longer wait.

    Raises ConfigError for numbers out of range.
    """

    node: str
    base_url: str
    concurrency: int
    timeout: float
    retries: int

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers out of range."""
        if self.concurrency < 1 or self.timeout <= 0 or self.retries < 0:
            raise ConfigError(f"{self.node}: concurrency and timeout must be more than 0, retries at least 0")

    @contextmanager
    def client(self) -> Iterator[openai.OpenAI]:
        """Yield a client for a few short requests, which wait at most PATIENCE seconds and are not repeated."""
        timeout = min(self.timeout, PATIENCE)
        with openai.OpenAI(base_url=self.base_url, api_key=_key(), timeout=timeout, max_retries=0) as client:
            yield client

    def models(self, client: openai.OpenAI, remedy: str) -> dict[str, openai.types.Model]:
        """Return {name: model} of the models that the server lists.

        Raises ConfigError, whose message ends with `remedy`, if no server of OpenAI's protocol answers.
        """
        try:
            return {model.id: model for model in client.models.list()}
        except (openai.OpenAIError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"{self.node}.base_url={self.base_url}: no server that speaks OpenAI's protocol answers there "
                f"({describe_failure(error)}); {remedy}"
            ) from None

    def ask_all(
        self, requests: Iterable[Asked], ask: Callable[[openai.AsyncOpenAI, Asked], Awaitable[Told]]
    ) -> Iterator[list[tuple[Asked, Told | openai.OpenAIError]]]:
        """Ask every request, `concurrency` at a time; yield lists of (request, reply or error) as they finish.

        Args:
            ask: sends one request through the client and returns what it was told.

        An OpenAIError that `ask` raises is yielded, any other error is raised. Raises ConfigError if nothing accepts
        connections at the address any more, or after `TOO_MANY` errors in a row; requests in flight are cancelled.
        """
        loop = asyncio.new_event_loop()
        client = openai.AsyncOpenAI(
            base_url=self.base_url, api_key=_key(), timeout=self.timeout, max_retries=self.retries
        )
        waiting, failed = iter(requests), 0  # in a row
        tasks: dict[asyncio.Task[Told | openai.OpenAIError], Asked] = {}
        try:
            while True:
                for request in islice(waiting, self.concurrency - len(tasks)):
                    tasks[loop.create_task(_caught(ask(client, request)))] = request
                if not tasks:
                    return
                done, _ = loop.run_until_complete(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
                told = [(tasks.pop(task), task.result()) for task in done]
                broken = [reply for _, reply in told if _is_broken(reply)]
                gone = bool(broken) and loop.run_until_complete(self._is_gone(client))
                if kept := [pair for pair in told if not (gone and _is_broken(pair[1]))]:
                    yield kept
                if gone:
                    raise self._error(f"the server is gone ({describe_failure(broken[0])}); start it again")
                errors = [reply for _, reply in told if isinstance(reply, openai.OpenAIError)]
                failed = failed + len(errors) if len(errors) == len(told) else 0
                if failed >= TOO_MANY:
                    last = describe_failure(errors[-1])
                    raise self._error(f"{failed} requests in a row have failed, the last with {last}; look at it")
        finally:
            for task in tasks:  # of an interrupted run
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks))
            loop.run_until_complete(client.close())
            loop.close()

    async def _is_gone(self, client: openai.AsyncOpenAI) -> bool:
        """Tell whether nothing accepts connections at the address any more; a slow or broken reply is not that."""
        try:
            await client.with_options(timeout=min(self.timeout, PATIENCE), max_retries=0).models.list()
        except openai.APIConnectionError as error:
            return type(error.__cause__).__name__ == NOBODY
        except (openai.OpenAIError, ValueError, AttributeError):
            return False
        return False

    def _error(self, problem: str) -> ConfigError:
        """Return, not raise, an error about the server that also says how to go on."""
        said = f"{self.node}.base_url={self.base_url}: {problem}"
        return ConfigError(f"{said}, then run the same command again, which keeps what is there")


def _key() -> str:
    """Return the server's key from the environment, "none" if there is none."""
    return os.environ.get("OPENAI_API_KEY", "none")


async def _caught(reply: Awaitable[Told]) -> Told | openai.OpenAIError:
    """Return the awaited reply, or the OpenAIError that it raises. Raises any other error."""
    try:
        return await reply
    except openai.OpenAIError as error:
        return error


def _is_broken(reply: object) -> TypeGuard[openai.APIConnectionError]:
    """Tell whether a request failed because its connection did, which a time-out is not."""
    return isinstance(reply, openai.APIConnectionError) and not isinstance(reply, openai.APITimeoutError)


def describe_failure(error: Exception) -> str:
    """Return an error as text of at most 300 characters: type, message, and the server's reply or else the cause."""
    said = f"{type(error).__name__}: {first_line(error)}"
    if isinstance(error, openai.APIStatusError):
        said += f" {' '.join(error.response.text.split())}"
    elif isinstance(error.__cause__, Exception):
        said += f" ({first_line(error.__cause__)})"
    return said[:300]
