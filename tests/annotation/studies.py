"""Made-up questions, configs and databases of people's judgments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from coig.annotation.replies import Answered, Sent
from coig.annotation.store import Store
from coig.config import AnnotateConfig
from coig.config.command_line import config_of
from coig.records.judgment_database import TABLES
from coig.study.items import AnsweredQuery
from coig.web.database import open_database

ARMS = ("cw", "cw+1k", "cw+5k", "cw+10k", "general")


@cache
def make_config(*overrides: str) -> AnnotateConfig:
    """Return the config of `annotate.py` with these overrides."""
    return config_of("annotate", AnnotateConfig, ["study=demo", *overrides])


def make_questions(count: int, arms: Sequence[str] = ARMS, langs: Sequence[str] = ("zh", "en")) -> list[AnsweredQuery]:
    """Return questions in turn of each language and of two genres; each answer has eight sentences of its own."""
    return [
        AnsweredQuery(
            query_id=f"q-{number:03}",
            lang=langs[number % len(langs)],
            genre=("poetry", "slogan")[number // len(langs) % 2],
            prompt=f"Task {number}",
            answers={arm: "".join(f"Text {number}.{place} sentence {n}. " for n in range(8)) for place, arm in pairs},
        )
        for number in range(count)
        for pairs in [list(enumerate(arms))]
    ]


def make_store(place: Path | str, questions: Sequence[AnsweredQuery], *overrides: str) -> Store:
    """Open a database and prepare it for the questions."""
    return Store(open_database(place, TABLES), questions, make_config(*overrides))


def rank(number: int, *groups: Sequence[int], key: str | None = None, seconds: float = 60.0) -> Sent:
    """Return a ranking of the task of that number, best group first."""
    answered = Answered(groups=tuple(map(tuple, groups)), seconds=seconds)
    return Sent(number=number, key=key or f"key-of-the-task-{number}", answered=answered)
