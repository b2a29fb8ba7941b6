"""Make a web app of a stage's routes, and check what its pages send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from coig.web.links import BadLinkError, Links
from coig.web.pages import Pages
from coig.web.safety import Safe

Parsed = TypeVar("Parsed", bound=BaseModel)


class UnknownError(ValueError):
    """Something that a person asks for and that does not exist, or is not there for this person now."""


def make_app(routes: Sequence[BaseRoute], pages: Pages) -> ASGIApp:
    """Return an app that serves a stage's routes, the static files of its pages, and `/health`, which answers `ok`.

    Every request passes `Safe`. A refused request, a bad link (403) and any error (500) are answered by an error page,
    a POST by JSON {error: message}.
    """

    async def refuse(request: Request, error: Exception) -> Response:
        """Return the error page of an HTTPException."""
        assert isinstance(error, HTTPException)
        return pages.show_error(request, error.status_code, error.detail)

    async def refuse_link(request: Request, _: Exception) -> Response:
        """Return the error page of a bad link."""
        return pages.show_error(request, 403, "")

    async def apologize(request: Request, _: Exception) -> Response:
        """Return the error page of any other error, without its message."""
        return pages.show_error(request, 500, "")

    shared = [
        Route("/static/{version}/{name}", pages.serve_static),
        Route("/health", lambda _: PlainTextResponse("ok")),
    ]
    app = Starlette(
        routes=[*routes, *shared],
        middleware=[Middleware(GZipMiddleware, minimum_size=1000)],
        exception_handlers={HTTPException: refuse, BadLinkError: refuse_link, Exception: apologize},
    )
    return Safe(app, pages.show_error)


async def receive(request: Request, links: Links, model: type[Parsed]) -> Parsed:
    """Return the JSON body of a request to change something, validated as `model`.

    Raises HTTPException: 403 unless a page that was served for the link in the path sent it, 415 if its content type is
    not JSON, 422 if it does not fit `model`.
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


async def respond(change: Callable[[], dict[str, Any] | None]) -> Response:
    """Call a function that changes the database, in a thread; answer with what it returns as JSON, {} for None.

    Raises HTTPException 404 for its UnknownError, and 422 for any other ValueError.
    """
    try:
        return JSONResponse(await run_in_threadpool(change) or {})
    except UnknownError as error:
        raise HTTPException(404, str(error)) from None
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


def check_csrf(request: Request, links: Links, given: str | None) -> None:
    """Raise HTTPException 403 unless a page that was served for the link in the path sent the request.

    `given` is the text by which the request proves it, which must be what `Links.csrf` returns for the link. A request
    whose browser says that another site sent it is refused, too.
    """
    foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if foreign or not links.is_csrf(request.path_params["token"], given):
        raise HTTPException(403, "was not sent by this page; load it again")
