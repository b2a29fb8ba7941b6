"""Make a web app whose every answer is safe: strict headers, small bodies, no more requests than a person makes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coig.web.links import BadLinkError, Links

LARGEST_BODY = 64_000  # bytes
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
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
Parsed = TypeVar("Parsed", bound=BaseModel)


class Pages:
    """The templates and static files of a stage's pages, together with those that all pages share."""

    def __init__(self, package: str, folder: Path) -> None:
        """Load templates and static files from a package's folder `pages`, whose path is `folder`."""
        files = [*(Path(__file__).parent / "static").iterdir(), *folder.iterdir()]
        self._static = {file.name: file.read_bytes() for file in sorted(files) if file.suffix in TYPES}
        self.version = hashlib.sha256(b"".join(self._static.values())).hexdigest()[:12]
        self._environment = Environment(
            loader=PackageLoader(package, "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, **variables: object) -> Response:
        """Render a page, which no cache may keep."""
        page = self._environment.get_template(template).render(version=self.version, **variables)
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    def static(self, request: Request) -> Response:
        """Serve a static file; its address holds the version of all, so browsers may keep it."""
        name = request.path_params["name"]
        if name not in self._static or request.path_params["version"] != self.version:
            raise HTTPException(404)
        lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self._static[name], media_type=TYPES[Path(name).suffix], headers=lasting)


def make_app(routes: Sequence[BaseRoute], pages: Pages) -> Starlette:
    """Make an app of these routes, with static files and `/health`, which tells that the server is there."""
    shared = [Route("/static/{version}/{name}", pages.static), Route("/health", lambda _: PlainTextResponse("ok"))]
    return Starlette(
        routes=[*routes, *shared],
        middleware=[Middleware(Safe), Middleware(GZipMiddleware, minimum_size=1000)],
        exception_handlers={HTTPException: _show_error, BadLinkError: _show_bad_link},
    )


async def receive(request: Request, links: Links, model: type[Parsed]) -> Parsed:
    """Return the JSON body of a request to change something.

    Raises HTTPException: 403 unless a page that was served for this link sent it, 415 and 422 for another body.
    """
    check_csrf(request, links, request.headers.get("x-csrf"))
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "send application/json")
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise HTTPException(422, f"{where}: {first['msg']}" if where else first["msg"]) from None


def check_csrf(request: Request, links: Links, given: str | None) -> None:
    """Raise HTTPException 403 unless a page that was served for this link sent the request."""
    foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if foreign or not links.is_csrf(request.path_params["token"], given):
        raise HTTPException(403, "was not sent by this page; load it again")


def render_markdown(text: str, *, plain: bool = False) -> str:
    """Render Markdown as HTML; HTML in it is shown as text, and images as their address. `plain` leaves out links."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    if plain:
        parser.disable(["link", "autolink", "reference"])
    return str(parser.render(text))


async def _show_error(request: Request, error: Exception) -> Response:
    """Answer a refused request: in JSON if a page's script made it, otherwise as text."""
    assert isinstance(error, HTTPException)
    if request.method == "POST":
        return JSONResponse({"error": error.detail}, error.status_code)
    return PlainTextResponse(f"{error.status_code} {error.detail}", error.status_code)


async def _show_bad_link(request: Request, error: Exception) -> Response:
    """Answer a request with a forged, expired or swapped link."""
    message = "This link is not valid (any more). Ask for a new one.\n此链接无效或已过期，请索取新的链接。"
    return await _show_error(request, HTTPException(403, message))


class Safe:
    """Add the headers of safety, refuse large bodies, and limit the requests of each link."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._allowances: dict[str, tuple[float, float]] = {}  # first parts of a path → requests left, at what time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                if not any(name == b"cache-control" for name, _ in message["headers"]):
                    added.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        refusal = self._refuse(scope)
        body = None if refusal else await _read_body(receive)
        if body is None and refusal is None:
            refusal = JSONResponse({"error": "too large"}, 413)
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        await self.app(scope, _replay(body or b"", receive), send_safely)

    def _refuse(self, scope: Scope) -> Response | None:
        """Return the answer to a request of a link that makes too many; None if it may go on."""
        parts = scope["path"].split("/")
        if len(parts) < 3 or parts[1] == "static":
            return None
        link, moment = "/".join(parts[1:3])[:500], time.monotonic()
        left, since = self._allowances.get(link, (BURST, moment))
        left = min(BURST, left + RATE * (moment - since))
        if len(self._allowances) > 10_000:  # forged links
            self._allowances.clear()
        self._allowances[link] = max(0.0, left - 1), moment
        return JSONResponse({"error": "too many requests"}, 429, {"Retry-After": "2"}) if left < 1 else None


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
    """Return a `receive` that gives the body, which was read already, and then what `receive` gives."""
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return next(iter(messages), None) or await receive()

    return replay
