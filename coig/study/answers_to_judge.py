"""Read what is to be judged: the answers of a study's arms, or files of answers in the paper authors' format."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coig.config.fields import MULTIRUN, files_of
from coig.display.numbers import counted
from coig.errors import ConfigError
from coig.records.answer import Answer
from coig.records.authors import read_authors_answers
from coig.study.answers import choose_answers
from coig.study.find import find_done, find_study
from coig.study.items import AnsweredQuery, collect_answered_queries
from coig.study.roster import Roster, contestant_of_stranger

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyAnswers:
    """A study's folder, the names of its arms in the study's order, and their answers."""

    study: Path
    arms: tuple[str, ...]
    answers: list[Answer]

    def questions(self) -> list[AnsweredQuery]:
        """Return the queries that at least two arms have answered, with their answers; log how many are left out.

        Raises ConfigError if there is no such query.
        """
        questions, alone = collect_answered_queries(self.answers, self.arms)
        if alone:
            said = counted(len(alone), "query is", "queries are")
            log.warning("%s left out, with fewer than two answers, such as %s", said, alone[0])
        if not questions:
            raise ConfigError(f"{self.study}: no query has answers of two arms, which could be compared")
        return questions


def read_study_answers(
    study: str | None, arms: Sequence[str] | None, queries: Sequence[str], files: Sequence[str] = ()
) -> StudyAnswers:
    """Read the answers of a study's trained arms, or those in files; log which arms are not trained and left out.

    Of a study's arms, the first sample for each query is read, unless it failed.

    Args:
        study: its name; None is the study that was trained last.
        arms: names of the arms and points to read; None for every trained arm, without points.
        queries: names of the answered files of queries.
        files: files or patterns of the authors' answers, which are read instead; the study's folder is then made.

    Raises ConfigError if arms or answers are missing, or if `study` is None although `files` are given.
    """
    if files:
        return _read_authors(study, arms, files)
    folder = find_study(study)
    found, untrained = find_done(folder, tuple(arms) if arms else None)
    for name in untrained:
        log.warning("%s: training is not done, left out", folder / name)
    answers = [answer for _, answer in choose_answers(found, queries)]
    return StudyAnswers(folder, tuple(arm.name for arm in found), answers)


def _read_authors(study: str | None, arms: Sequence[str] | None, files: Sequence[str]) -> StudyAnswers:
    """Read files of the authors' answers, and make the study's folder if it is missing.

    Raises ConfigError if `study` is None, or one of `arms` has no answers.
    """
    if study is None:
        raise ConfigError("study: not set; name the study that these answers are, such as study=authors")
    answers = read_authors_answers(files_of(files))
    names = Roster.of(map(contestant_of_stranger, {answer.arm for answer in answers})).names
    if unknown := set(arms or ()) - set(names):
        raise ConfigError(f"arms: {sorted(unknown)[0]} has no answers; there are {', '.join(names)}")
    folder = MULTIRUN / study
    folder.mkdir(parents=True, exist_ok=True)
    return StudyAnswers(folder, tuple(name for name in names if arms is None or name in arms), answers)
