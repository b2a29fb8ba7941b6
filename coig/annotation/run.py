"""Serve a study's answers to raters, or export, import or erase their judgments."""

from __future__ import annotations

import logging
from pathlib import Path

from starlette.types import ASGIApp

from coig.annotation.exports import export_judgments, import_judgments
from coig.annotation.leader import LeaderPages
from coig.annotation.server import FOLDER, PARTICIPANT, RaterPages
from coig.annotation.store import Store, erase_rater
from coig.annotation.texts import read_introduction
from coig.config import AnnotateConfig
from coig.config.fields import files_of, local_path
from coig.files.keys import read_key
from coig.records.judgment_database import DATABASE, TABLES
from coig.study.answers_to_judge import read_study_answers
from coig.web.app import make_app
from coig.web.database import open_database
from coig.web.links import Links
from coig.web.pages import Pages
from coig.web.serving import address_of, bind, serve

log = logging.getLogger(__name__)
KEY = ".links"  # in the study's folder: signs raters' links


def annotate(config: AnnotateConfig) -> None:
    """Serve a study's answers to raters until Ctrl-C; or, if the config says so, only change or export judgments.

    With `erase`, delete these raters and do nothing else. With `imports`, `export` or both, import judgments, then
    export them, and do not serve.
    """
    written = read_study_answers(config.study, config.arms, config.queries, config.answers)
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


def read_links(study: Path, days: int) -> Links:
    """Return the `Links` of a study, valid for `days` days; write a new key into its folder if it has none."""
    return Links(read_key(study / KEY), days)


def make_annotation_app(store: Store, study: str, links: Links, address: str) -> ASGIApp:
    """Return the app for a study's raters and its leader.

    Args:
        study: its name, as the leader's page shows it.
        address: where people reach the app, such as http://127.0.0.1:8501.

    Raises ConfigError if the study's own texts for raters are not complete.
    """
    config = store.config
    pages = Pages(FOLDER)
    folder = local_path(config.texts) if config.texts else None
    introduction = read_introduction(folder, config.protocol, practice=config.practice)
    raters = RaterPages(store, links, introduction, pages)
    leader = LeaderPages(store, links, pages, study, address)
    return make_app([*raters.routes(), *leader.routes()], pages)


def _serve(store: Store, study: Path) -> None:
    """Print the links of the leader and the raters, serve until Ctrl-C, and close the database."""
    bound = bind(store.config.host, store.config.port)
    address = address_of(bound, store.config.base_url)
    links = read_links(study, store.config.link_days)
    app = make_annotation_app(store, study.name, links, address)
    print_links(store, links, address)
    try:
        serve(app, bound)
    finally:
        store.database.close()


def print_links(store: Store, links: Links, address: str) -> None:
    """Add the configured raters to the database; print a link for the leader, one for each of them, one for recruits.

    Without `recruits` in the config there is no link for them.
    """
    config = store.config
    print(f"leader: {address}/lead/{links.sign('leader', 'leader')}")
    for name, langs in config.raters.items():
        print(f"{name}: {address}/r/{links.sign('rater', store.add_rater(name, langs))}")
    if config.recruits:
        print(f"recruits: {address}/join/{links.sign('join', 'recruits')}?{PARTICIPANT}={{{{%PROLIFIC_PID%}}}}")
    if not config.recruits and not store.has_raters():
        print("no rater yet: add them on the leader's page, or give 'raters=[ann,bob]'")
    print(f"{len(store.items)} to judge; Ctrl-C stops the page, and the same command goes on", flush=True)
