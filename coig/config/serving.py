"""The keys that all commands with a page for people share: where it listens, and how long its links are valid."""

from __future__ import annotations

from pydantic import Field

from coig.config.nodes import Node


class Served(Node):
    """A config whose command serves a page."""

    host: str  # the address on which the page listens; 0.0.0.0: other machines reach it, too
    port: int = Field(ge=0, lt=2**16)  # 0: any free port
    base_url: str | None  # the address that people see, behind a reverse proxy
    link_days: int = Field(gt=0)  # how long a link is valid
