"""Serve a study's answers to raters, or export, import or erase their judgments."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette

from coig.annotation.exports import export_judgments, import_judgments
from coig.annotation.leader import LeaderPages
from coig.annotation.server import FOLDER, PARTICIPANT, RaterPages
from coig.annotation.store import Store, erase_rater
from coig.annotation.texts import read_introduction
from coig.config import AnnotateConfig
from coig.config.fields import files_of, local_path
from coig.errors import ConfigError
from coig.records.judgment_database import DATABASE, TABLES
from coig.study.written import read_written
from coig.web.app import Pages, make_app
from coig.web.database import open_database
from coig.web.links import Links, read_key

log = logging.getLogger(__name__)
KEY = ".links"  # in the study's folder: signs raters' links


class Addresses(NamedTuple):
    """Where the page is: as it is bound, and as raters see it."""

    socket: socket.socket
    base_url: str


def annotate(config: AnnotateConfig) -> None:
    """Serve a study's answers to raters until Ctrl-C; or erase raters, import or export judgments, and end."""
    written = read_written(config.study, config.arms, config.queries, config.answers)
    study, questions = written.study, written.questions()
    database = open_database(config.database or study / DATABASE, TABLES)
    for name in config.erase:
        erase_rater(database, name)
        log.info("%s: everything of this rater is deleted", name)
    if config.erase:
        return
    store = Store(database, questions, config)
    if config.imports:
        import_judgments(store, files_of(config.imports), study.name)
    if config.export:
        export_judgments(store, study, config.export, history=config.history)
    if not config.imports and not config.export:
        _serve(store, study)


def make_server(store: Store, study: Path) -> tuple[Starlette, Links]:
    """Return the app for a study's raters and its leader, and what signs their links."""
    config = store.config
    links = Links(read_key(study / KEY), config.link_days)
    pages = Pages("coig.annotation", FOLDER)
    introduction = read_introduction(local_path(config.texts) if config.texts else None, config.protocol)
    raters = RaterPages(store, links, introduction, pages)
    leader = LeaderPages(store, links, pages, study.name)
    return make_app([*raters.routes(), *leader.routes()], pages), links


def make_process(app: Starlette) -> uvicorn.Server:
    """Return what serves the app. It logs no requests, for their addresses are keys."""
    settings = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,  # longer than proxies keep their connections
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(settings)


def _serve(store: Store, study: Path) -> None:
    """Print the links of the leader and of each rater, and serve until Ctrl-C."""
    app, links = make_server(store, study)
    addresses = _bind(store.config)
    _print_links(store, links, addresses.base_url)
    try:
        make_process(app).run(sockets=[addresses.socket])
    except KeyboardInterrupt:
        pass
    finally:
        store.database.close()
    log.info("stopped; the same command goes on")


def _bind(config: AnnotateConfig) -> Addresses:
    """Bind the address. Raises ConfigError if it is taken or not ours."""
    try:
        bound = socket.create_server((config.host, config.port), family=_family(config.host))
    except OSError as error:
        raise ConfigError(
            f"host={config.host} port={config.port}: cannot be used ({error.strerror}); give another port="
        ) from None
    host = f"[{config.host}]" if ":" in config.host else config.host
    return Addresses(bound, (config.base_url or f"http://{host}:{bound.getsockname()[1]}").rstrip("/"))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _print_links(store: Store, links: Links, base_url: str) -> None:
    """Print one link for the leader, one for each rater, and one for recruits."""
    config = store.config
    print(f"leader: {base_url}/lead/{links.sign('leader', 'leader')}")
    for name, langs in config.raters.items():
        print(f"{name}: {base_url}/r/{links.sign('rater', store.add_rater(name, langs))}")
    if config.recruits:
        print(f"recruits: {base_url}/join/{links.sign('join', 'recruits')}?{PARTICIPANT}={{{{%PROLIFIC_PID%}}}}")
    print(f"{len(store.items)} to judge; Ctrl-C stops the page, and the same command goes on", flush=True)
