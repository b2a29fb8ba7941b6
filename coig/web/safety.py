"""Make an app safe: strict headers in answers, and limits on the size and the number of requests."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 256_000  # bytes; the longest article of the paper with its triplet has half of it
BURST, RATE = 60, 10.0  # requests of one link at once, and per second in the long run
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address is a key
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Safe:
    """An app around another one: it adds headers, refuses large bodies, and limits the requests of each link."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, int, str], Response]) -> None:
        """Wrap an app. `refuse(request, status, detail)` returns the answer to a request that is not let through."""
        self.app, self.refuse = app, refuse
        self._allowances: dict[str, tuple[float, float]] = {}  # first parts of a path → requests left, at what time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the app, and add HEADERS to the answer.

        Instead, refuse it with 429 if its link makes too many requests, or with 413 if its body is too large. What is
        not HTTP is passed on unchanged.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            """Send a part of the answer, with HEADERS added where it begins."""
            if message["type"] == "http.response.start":
                message = {**message, "headers": _add_headers(message["headers"])}
            await send(message)

        request = Request(scope)
        if self._is_too_often(scope["path"]):
            refusal = self.refuse(request, 429, "")
            refusal.headers["Retry-After"] = "2"
            await refusal(scope, receive, send_safely)
        elif (body := await _read_body(receive)) is None:
            await self.refuse(request, 413, "")(scope, receive, send_safely)
        else:
            await self.app(scope, _replay(body, receive), send_safely)

    def _is_too_often(self, path: str) -> bool:
        """Count a request, and tell whether its link, the first two parts of the path, makes too many.

        Static files and paths of one part are never too many, and are not counted.
        """
        parts = path.split("/")
        if len(parts) < 3 or parts[1] == "static":
            return False
        link, moment = "/".join(parts[1:3])[:500], time.monotonic()
        left, since = self._allowances.get(link, (BURST, moment))
        left = min(BURST, left + RATE * (moment - since))
        if len(self._allowances) > 10_000:  # forged links
            self._allowances.clear()
        self._allowances[link] = max(0.0, left - 1), moment
        return left < 1


def _add_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers followed by HEADERS, and by `no-store` if the answer has no Cache-Control."""
    safe = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    if not any(name == b"cache-control" for name, _ in headers):
        safe.append((b"cache-control", b"no-store"))
    return [*headers, *safe]


async def _read_body(receive: Receive) -> bytes | None:
    """Return a request's body; None if it is larger than LARGEST_BODY."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a function like `receive` that first returns the whole body, which was read already."""
    read: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        """Return the body at the first call, and what `receive` returns at later ones."""
        return read.pop() if read else await receive()

    return replay
