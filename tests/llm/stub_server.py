"""A small server in place of a large one, for what real servers do too seldom: other names, failures, stalls."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.servers import Handler, Server, serving

Reply = Callable[[dict[str, Any]], tuple[int, str] | None]  # request → (status, body); None: break the connection


@contextmanager
def server(models: list[str], reply: Reply, **facts: str) -> Iterator[str]:
    """Serve on loopback: list `models`, with `facts` of each, and answer completions with (status, body)."""

    class Completions(Handler):
        def do_GET(self) -> None:
            self.answer({"object": "list", "data": [{"id": model} | facts for model in models]})

        def do_POST(self) -> None:
            content = self.read()
            if not content:  # the client was killed
                return
            told = reply(json.loads(content))
            if told is None:
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                status, body = told
                self.send(body, status)

    with serving(Server(Completions)) as http:
        yield f"{http.address}/v1"


def completion(text: str, finish_reason: str = "stop", **more: Any) -> tuple[int, str]:
    return 200, json.dumps({"choices": [{"text": text, "index": 0, "finish_reason": finish_reason} | more]})


def chat(
    text: str | None,
    model: str = "toy",
    finish_reason: str = "stop",
    likeliest: Sequence[tuple[str, dict[str, float]]] = (),
) -> tuple[int, str]:
    """Return the reply of a chat model; `likeliest` are its tokens with the probabilities at their places."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish_reason}
    choice["message"] = {"role": "assistant", "content": text}
    if likeliest:
        content = [
            {"token": token, "logprob": 0.0, "bytes": None, "top_logprobs": [_likely(*pair) for pair in odds.items()]}
            for token, odds in likeliest
        ]
        choice["logprobs"] = {"content": content, "refusal": None}
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
    return 200, json.dumps(
        {"id": "1", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage}
    )


def _likely(token: str, probability: float) -> dict[str, Any]:
    return {"token": token, "logprob": math.log(probability), "bytes": None}
