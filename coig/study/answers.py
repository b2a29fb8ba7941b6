"""Choose the answers of a study's arms that can be compared with each other."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from coig.display.numbers import counted
from coig.errors import ConfigError
from coig.records.answer import Answer
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES

log = logging.getLogger(__name__)


def choose_answers(arms: Sequence[Arm], queries: Sequence[str]) -> list[tuple[str, Answer]]:
    """Return what `list_answers` returns. Raises ConfigError if no arm answered one of the files, or as it does."""
    chosen = list_answers(arms, queries)
    if missing := [name for name in queries if name not in {file for file, _ in chosen}]:
        where = arms[0].study_folder if arms else "the study"
        raise ConfigError(f"no arm of {where} has answers in generations/{missing[0]}.jsonl: run generate.py first")
    return chosen


def list_answers(arms: Sequence[Arm], queries: Sequence[str]) -> list[tuple[str, Answer]]:
    """Return (name of the file of queries, answer) for each arm's first sample to each query in these files.

    Failed answers are left out, with a warning. Raises ConfigError if a line is damaged, or answers are not comparable:
    see `check_comparable`.
    """
    listed = [(name, answer) for name in queries for arm in arms for answer in _first_samples(arm, name)]
    check_comparable(listed)
    return listed


def choose_samples(arms: Sequence[Arm], queries: Sequence[str]) -> list[Answer]:
    """Return all samples of each arm's answers to these files of queries, without those that failed.

    They come file by file, then arm by arm, and those of an arm by language, query and sample, in whatever order they
    were written. An arm that has not answered a file gives none.
    """
    return [
        answer
        for name in queries
        for arm in arms
        for answer in sorted(arm.answers(name), key=lambda one: (LANGUAGES.index(one.lang), one.query_id, one.sample))
        if not answer.failed
    ]


def _first_samples(arm: Arm, queries: str) -> list[Answer]:
    """Return an arm's answers that are the first sample and did not fail; log how many of all samples failed."""
    answers = arm.answers(queries)
    if failed := sum(answer.failed for answer in answers):
        log.warning("%s: %s failed, left out; generate.py asks again", arm.folder, counted(failed, "answer"))
    return [answer for answer in answers if not answer.failed and answer.sample == 0]


def check_comparable(answers: Sequence[tuple[str | None, Answer]]) -> None:
    """Raise ConfigError if answers differ in seed or sampling, or if an id is in two files of queries or has two texts.

    Args:
        answers: each with the name of its file of queries, None for an answer that coig did not generate.
    """
    if not answers:
        return
    _, first = answers[0]
    texts: dict[str, str] = {}
    files: dict[str, str | None] = {}
    for file, answer in answers:
        for key in ("seed", "sampling"):
            if (found := getattr(answer, key)) != (expected := getattr(first, key)):
                raise ConfigError(
                    f"{first.arm} was asked with {key} {expected}, {answer.arm} with {found}: "
                    "not comparable; answer with the same settings (generate.py … overwrite=true), "
                    "or leave one out with arms=[…]"
                )
        if (other := files.setdefault(answer.query_id, file)) != file:
            raise ConfigError(
                f"query {answer.query_id} is in two files of queries, {other} and {file}, and would count twice: name "
                f"one of the files (queries={other} or queries={file}), or give the query another id in one "
                "of them and answer that file again"
            )
        if texts.setdefault(answer.query_id, answer.query) != answer.query:
            raise ConfigError(
                f"query {answer.query_id} has another text for {answer.arm}: not comparable; answer one file of "
                "queries with every arm (generate.py … overwrite=true)"
            )
