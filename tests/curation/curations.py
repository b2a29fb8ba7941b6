"""Small curations for the tests: a folder with articles, and the stages that run on it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from coig.config import CurateConfig
from coig.config.command_line import config_of
from coig.curation.desk import perform_act, read_act
from coig.curation.run import curate
from coig.curation.store import Store, Text

STORY = (
    "巷口修伞的老邓只有一只木箱。他把伞撑开，对着天转一圈，像医生看片子。后来下雨天我路过，看见他自己撑着一把旧黑伞。"
)
TALE = "森林里的邮差是一只蜗牛，大家都抱怨它慢。只有住在山顶的老风车不抱怨，它每年寄一封信给海。"
POEM = "井\n村子搬走以后\n井留在原地\n现在它只装天\n天很轻\n一朵云落进来"


def article(text: str, **fields: Any) -> dict[str, Any]:
    return {"text": text, "published": "2024-05-01", "genre": "essay", **fields}


@cache  # composing a config is slow
def configure(*overrides: str) -> CurateConfig:
    return config_of("curate", CurateConfig, ["name=mine", "input=articles.jsonl", "dedupe.against=[]", *overrides])


def write_articles(*rows: Any) -> None:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    Path("articles.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(*overrides: str) -> None:
    curate(configure(*overrides))


def run_to(last: str, *overrides: str) -> None:
    """Run the stages up to this one."""
    for stage in ("ingest", "assess", "dedupe"):
        run(f"stage={stage}", *overrides)
        if stage == last:
            return


def open_store() -> Store:
    return Store(configure().folder)


def read_texts() -> list[Text]:
    store = open_store()
    try:
        return store.read_texts()
    finally:
        store.close()


def only_text() -> Text:
    [text] = read_texts()
    return text


def set_state(state: str, *, kind: str = "screen", **value: Any) -> None:
    """Give every text a state, as a judge's screening would."""
    store = open_store()
    with store.writing() as pen:
        judge = pen.find_actor("judge", "model")
        for text in store.read_texts():
            pen.add_event(text.id, kind, state, value, judge)  # type: ignore[arg-type]
    store.close()


def act(kind: str, by: str, text: str | None = None, *overrides: str, **fields: Any) -> None:
    """Let a person do something with a text, the only one by default."""
    row = {"kind": kind, "by": by, "text": text or only_text().key, **fields}
    store = open_store()
    try:
        with store.writing() as pen:
            perform_act(pen, read_act(row), configure(*overrides).accept)
    finally:
        store.close()


def write(by: str, **fields: Any) -> None:
    decisions = dict.fromkeys(("planning", "style", "culture", "narrative", "revision"), "想一想再写。")
    act("write", by, **({"prompt": "写一篇关于修伞人的短文，不超过一百字。"} | decisions | fields))


def score(by: str, *overrides: str, **scores: int) -> None:
    names = [f"{part}_{what}" for part in ("article", "prompt", "reasoning") for what in ("quality", "creativity")]
    act("score", by, None, *overrides, **(dict.fromkeys(names, 9) | scores))


def review(by: str, decision: str, *overrides: str) -> None:
    act("review", by, None, *overrides, decision=decision, why=None if decision == "accept" else "太满")
