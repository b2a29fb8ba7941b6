"""Take the pictures of docs/curation.md: python -m recipes.curation_pictures

It curates the embedded articles in a temporary folder, lets two people write, score and review one of them, serves the
page, and needs Debian's chromium and fonts-noto-cjk to draw it.
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from PIL import Image

from coig.config import CurateConfig
from coig.config.command_line import config_of
from coig.curation.desk import perform_act, read_act
from coig.curation.records import SCORES
from coig.curation.run import curate
from coig.curation.serving import make_curation_app, read_links, sign_links
from coig.curation.store import Store
from coig.web.serving import address_of, bind, make_uvicorn_server

PICTURES = Path("docs/pictures").absolute()
SIZE = 1160, 760  # pixels
TITLE = "The lift"  # of the article that is written about
ACCEPT = "accept.special_genres=[]"
TRIPLET = {
    "prompt": "Write an everyday story about a machine that people talk to, in about a hundred words.",
    "planning": "The lift says thank you for no reason. I wanted the neighbours to find the reason, so the politeness "
    "goes once round the house and comes back.",
    "style": "Flat sentences, as in a notice beside a lift. The only warm word is what the machine says.",
    "culture": "Neighbours in a block hardly speak. A lift is where they must stand together and look away.",
    "narrative": "Told by someone who only nods. That one joins in at the end is the whole plot.",
    "revision": "I cut a paragraph in which the company explains itself. The doors closing slowly had to be enough.",
}
COMMENT = {"part": "prompt", "start": 30, "end": 59, "comment": "Gives the idea away. What would a teacher ask?"}
REVISED = {"prompt": "Write an everyday story about neighbours and a small habit, in about a hundred words."}


def main() -> None:
    """Write `curation_write.webp` and `curation_review.webp`, and print their sizes."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        curate(_configure("all"))
        store = Store(_configure("write").folder)
        key = next(text.key for text in store.read_texts({"screened"}) if text.about["title"] == TITLE)
        _act(store, key, "wen", "write", **TRIPLET)
        _act(store, key, "sun", "score", **dict.fromkeys(SCORES, 9))
        for name in ("ann", "bob"):
            comments = [COMMENT] if name == "ann" else []
            _act(store, key, name, "review", decision="refine", comments=comments, why="Too near the article.")
        _draw_all(store, key)
        store.close()


def _configure(stage: str) -> CurateConfig:
    """Return the config of a stage."""
    return config_of("curate", CurateConfig, ["name=pictures", f"stage={stage}", "people=[wen,sun,ann,bob]", ACCEPT])


def _act(store: Store, key: str, by: str, kind: str, **fields: Any) -> None:
    """Let somebody do something with a text."""
    with store.writing() as pen:
        perform_act(pen, read_act({"text": key, "by": by, "kind": kind, **fields}), _configure("write").accept)


def _draw_all(store: Store, key: str) -> None:
    """Serve the page, and draw it for the writer, then for a reviewer of the second version."""
    config = _configure("write")
    store.start_run(config, "write")
    links, bound = read_links(config.folder, config.link_days), bind("127.0.0.1", 0)
    process = make_uvicorn_server(make_curation_app(store, links, config))
    thread = threading.Thread(target=process.run, kwargs={"sockets": [bound]})
    thread.start()
    paths = sign_links(store, config, links)
    address = address_of(bound, None)
    _draw(f"{address}{paths['wen']}?lang=en#{key}/write", "curation_write.webp")
    _act(store, key, "wen", "write", **TRIPLET | REVISED, why="asks for less")
    _act(store, key, "sun", "score", **dict.fromkeys(SCORES, 9))
    _draw(f"{address}{paths['ann']}?lang=en#{key}/review", "curation_review.webp")
    process.should_exit = True
    thread.join()


def _draw(link: str, name: str) -> None:
    """Let chromium draw a page, and write it to a picture."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        options = ["--headless", "--no-sandbox", "--disable-background-networking", "--hide-scrollbars"]
        wait = "--virtual-time-budget=5000"  # milliseconds for the page's own requests
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        command = ["chromium", *options, wait, size, f"--screenshot={shot}", link]
        subprocess.run(command, check=True, capture_output=True)
        picture = io.BytesIO()
        Image.open(shot).convert("RGB").save(picture, "webp", quality=80, method=6)
    (PICTURES / name).write_bytes(picture.getvalue())
    print(f"{PICTURES / name}: {len(picture.getvalue()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
