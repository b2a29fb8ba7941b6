"""Bind a page's address, and serve an app there until Ctrl-C."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from coig.errors import ConfigError

log = logging.getLogger(__name__)
EVERYWHERE = ("0.0.0.0", "::", "")  # hosts that mean all of this machine's addresses


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 is any free port.

    Raises ConfigError if the address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"host={host} port={port}: cannot be used ({error.strerror}); give another port=") from None


def address_of(bound: socket.socket, base_url: str | None) -> str:
    """Return the address that people open, without a slash at its end: `base_url` or, if not set, the socket's.

    If the socket listens at all addresses of this machine, it is the one in its network.
    """
    if base_url:
        return base_url.rstrip("/")
    host, port = bound.getsockname()[:2]
    host = _find_own_address() if host in EVERYWHERE else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _find_own_address() -> str:
    """Return the IPv4 address from which this machine would send to others, 127.0.0.1 without a network.

    Nothing is sent.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address that is reserved for documentation
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def serve(app: ASGIApp, bound: socket.socket) -> None:
    """Serve an app at a bound address until Ctrl-C, and log that it has stopped."""
    with suppress(KeyboardInterrupt):
        make_uvicorn_server(app).run(sockets=[bound])
    log.info("stopped; the same command goes on")


def make_uvicorn_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for the app, not yet running. It logs no requests, for their addresses are keys."""
    settings = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,  # longer than proxies keep their connections
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(settings)
