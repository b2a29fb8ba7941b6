"""A small server in place of a large one, for what real servers do too seldom: other names, failures, stalls."""

from __future__ import annotations

import json
import math
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[dict[str, Any]], tuple[int, str] | None]  # request → (status, body); None: break the connection


class Quiet(ThreadingHTTPServer):
    """A server that does not mind clients that leave without waiting for an answer."""

    daemon_threads = True
    request_queue_size = 256  # Python's 5 lets the kernel reset connections where many arrive at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def server(models: list[str], reply: Reply, **facts: str) -> Iterator[str]:
    """Serve on loopback: list `models`, with `facts` of each, and answer completions with (status, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send(200, json.dumps({"object": "list", "data": [{"id": model} | facts for model in models]}))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if not content:  # the client was killed
                return
            told = reply(json.loads(content))
            if told is None:
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.send(*told)

        def send(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    http = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


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
