"""Serve a curation's page to its people."""

from __future__ import annotations

from pathlib import Path

from starlette.types import ASGIApp

from coig.config import CurateConfig
from coig.curation.drafter import make_drafter
from coig.curation.server import FOLDER, LINK, DeskPages
from coig.curation.store import Store
from coig.files.keys import read_key
from coig.web.app import make_app
from coig.web.links import Links
from coig.web.pages import Pages
from coig.web.serving import address_of, bind, serve

KEY = ".links"  # in the curation's folder: signs people's links


def serve_people(store: Store, config: CurateConfig) -> None:
    """Print a link for each of `people`, and serve them the page until Ctrl-C."""
    bound = bind(config.host, config.port)
    address = address_of(bound, config.base_url)
    links = read_links(config.folder, config.link_days)
    for name, link in sign_links(store, config, links).items():
        print(f"{name}: {address}{link}")
    print("Ctrl-C stops the page, and the same command goes on", flush=True)
    serve(make_curation_app(store, links, config), bound)


def read_links(folder: Path, days: int) -> Links:
    """Return the `Links` of a curation, valid for `days` days; write a new key into its folder if it has none."""
    return Links(read_key(folder / KEY), days)


def sign_links(store: Store, config: CurateConfig, links: Links) -> dict[str, str]:
    """Return {name: path of the person's page} for `people`, each added to the database if new."""
    with store.writing() as pen:
        codes = {name: pen.find_actor(name, "person").code for name in config.people}
    return {name: f"/desk/{links.sign(LINK, code)}" for name, code in codes.items()}


def make_curation_app(store: Store, links: Links, config: CurateConfig) -> ASGIApp:
    """Return the app for a curation's people."""
    pages = Pages(FOLDER)
    return make_app(DeskPages(store, links, pages, config, make_drafter(config)).routes(), pages)
