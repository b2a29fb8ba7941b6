"""Small HTTP servers on this machine, in place of the hub, of W&B and of servers of models."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


class Handler(BaseHTTPRequestHandler):
    """What answers requests; a subclass has `do_GET` and the like."""

    def read(self) -> bytes:
        """Return the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, content: object, status: int = 200) -> None:
        """Send an object as JSON."""
        self.send(json.dumps(content), status)

    def send(self, body: str, status: int = 200) -> None:
        """Send a text that is meant to be JSON."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Server(ThreadingHTTPServer):
    """A server on a free port, which does not mind clients that leave without waiting for an answer."""

    daemon_threads = True
    request_queue_size = 256  # Python's 5 lets the kernel reset connections where many arrive at once

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def address(self) -> str:
        """Return the server's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless the client left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


OneServer = TypeVar("OneServer", bound=Server)


@contextmanager
def serving(server: OneServer) -> Iterator[OneServer]:
    """Let a server answer in a thread while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=[0.01])  # seconds; so long does its end take, at most
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
