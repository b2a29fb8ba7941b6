"""Serve a study's answers to raters, or export, import or erase their judgments."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette

from coig.annotation.exports import export_judgments, import_judgments
from coig.annotation.items import Question, collect_questions
from coig.annotation.leader import LeaderPages
from coig.annotation.server import FOLDER, PARTICIPANT, RaterPages
from coig.annotation.store import Store, erase_rater
from coig.annotation.texts import read_introduction
from coig.config import AnnotateConfig
from coig.config.fields import MULTIRUN, files_of, local_path
from coig.errors import ConfigError
from coig.records.authors import read_authors_answers
from coig.records.judgment_database import DATABASE, TABLES
from coig.study.answers import choose_answers
from coig.study.find import find_done_arms, find_study
from coig.study.roster import Roster, contestant_of_stranger
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
    study, questions = _read_study(config)
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


def _read_study(config: AnnotateConfig) -> tuple[Path, list[Question]]:
    """Return the study's folder and its queries with the arms' answers, and log which queries are left out."""
    if config.answers:
        if config.study is None:
            raise ConfigError("study: not set; name the study that these answers are, such as study=authors")
        study = MULTIRUN / config.study
        answers = read_authors_answers(files_of(config.answers))
        arms = Roster.of(map(contestant_of_stranger, {answer.arm for answer in answers})).names
        if unknown := set(config.arms or ()) - set(arms):
            raise ConfigError(f"arms: {sorted(unknown)[0]} has no answers; there are {', '.join(arms)}")
        arms = tuple(arm for arm in arms if config.arms is None or arm in config.arms)
        study.mkdir(parents=True, exist_ok=True)
    else:
        study = find_study(config.study)
        found, untrained = find_done_arms(study, config.arms)
        for name in untrained:
            log.warning("%s: training is not done, left out", study / name)
        answers = [answer for _, answer in choose_answers(found, config.queries)]
        arms = tuple(arm.name for arm in found)
    questions, alone = collect_questions(answers, arms)
    if alone:
        log.warning("%d queries have fewer than two answers and are left out, such as %s", len(alone), alone[0])
    if not questions:
        raise ConfigError(f"{study}: no query has answers of two arms, which could be compared")
    return study, questions


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
