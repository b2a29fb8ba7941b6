"""Read what an evaluation is about: a study's arms, their measured answers, and the judgments."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from coig.config import EvaluateConfig
from coig.config.fields import HELD_OUT, MULTIRUN, SHIPPED_QUERIES, files_of, is_packed
from coig.errors import ConfigError, suggestion
from coig.evaluation.learned import Learned, read_learned
from coig.evaluation.measures.answers import measure_answers
from coig.evaluation.preferences.judges import JudgeVerdicts, tabulate_judges
from coig.evaluation.preferences.judgments import (
    Judgments,
    add_judges,
    collect_judgments,
    sort_judgments,
    tabulate_judgments,
)
from coig.records.answer import Answer
from coig.records.authors import read_authors_answers
from coig.records.judgment import Judgment
from coig.records.judgment_database import Collected, collect_from, find_database
from coig.records.label import Label, read_labels
from coig.records.score import Score, read_scores
from coig.study.answers import check_comparable, choose_answers, choose_samples, list_answers
from coig.study.arm import Arm
from coig.study.find import find_arms, find_done_arms, find_study, list_all_points, make_roster
from coig.study.points import Point, list_points
from coig.study.raters import hide_labellers, hide_raters
from coig.study.roster import Roster, contestant_of_stranger

log = logging.getLogger(__name__)
SAMPLE = {**dict.fromkeys(("lang", "arm", "genre", "query_id", "answer"), pl.String), "sample": pl.Int64}


@dataclass(frozen=True)
class OverTraining:
    """The points of arms, their answers (each with the name of its file of queries), and all judgments on both."""

    points: list[Point]
    answers: list[tuple[str, Answer]]
    judged: list[Judgment]


@dataclass(frozen=True)
class Material:
    """What an evaluation reads: a study's trained arms, their measured answers, and the judgments.

    `untrained` are the names of the arms that are left out. `answers` is the frame of `measure_answers`. `judged` are
    people's judgments, `judgments` their tables, `compared` these with the verdicts of model judges, and `judges` what
    model judges said; each is None if there is none. `samples` are all answers of each arm, not only the first to each
    query, `learned` what the arms were trained on, `scores` what they reach on other tasks, and `labels` those of steps
    of their reasoning. All of them leave out the points of arms, what these answered and how they were judged, which
    `over_training` holds.
    """

    study: Path
    arms: list[Arm]
    untrained: list[str]
    roster: Roster
    answers: pl.DataFrame | None
    samples: pl.DataFrame
    learned: Learned
    scores: list[Score]
    labels: list[Label]
    judged: list[Judgment] | None
    judgments: Judgments | None
    compared: Judgments | None
    people: Collected | None  # what annotate.py has collected
    judges: JudgeVerdicts | None
    over_training: OverTraining


def gather_material(config: EvaluateConfig) -> Material:
    """Read a study's trained arms, answers and judgments, measure the answers and tabulate the judgments.

    Judgments are None if nobody has judged, answers if there are judgments alone. Raters and labellers get pseudonyms
    unless `real_names` is set. Raises ConfigError or DataError if there is no such study, no trained arm, neither
    answers nor judgments, or a file cannot be used.
    """
    study, arms, untrained = _find_arms(config)
    written = _read_answers(arms, config)
    people = _collect_from_people(study, config)
    points = list_all_points(study)
    judged = _read_judgments(config, study, arms, written, people, points)
    labels = read_labels(*files_of(config.labels), *sorted(study.glob("labels/*.jsonl")))
    labels.sort(key=lambda label: (label.query_id, label.arm, label.step, label.labeller))
    if not config.real_names:  # before anything is computed, so that a packed study gives the same results
        judged = judged and hide_raters(judged, study)
        people = people and replace(people, judgments=hide_raters(people.judgments, study))
        labels = hide_labellers(labels, study)
    everything = judged
    judged, people, labels = _leave_out_points(points.keys(), judged, people, labels)
    roster = _make_roster(arms, written, judged)
    answers = measure_answers(written, roster) if written is not None else None
    genres = {answer.query_id: answer.genre for _, answer in written or ()}
    by_people, by_judges = ([one for one in judged or () if one.source == source] for source in ("human", "judge"))
    _check_chosen(config, judged, roster)
    judgments = _tabulate(config, by_people, roster, genres)
    compared = add_judges(judgments, by_judges, roster.names)
    return Material(
        study=study,
        arms=arms,
        untrained=untrained,
        roster=roster,
        answers=answers,
        samples=_tabulate_samples(arms, config, written),
        learned=read_learned(arms if answers is not None and not config.answers else (), config.trusted),
        scores=read_scores(files_of(config.scores), study.name, _names_of(arms)),
        labels=labels,
        judged=by_people or None,
        judgments=judgments,
        compared=compared if config.arms is None or compared is None else compared.of(config.arms),
        people=people,
        judges=_tabulate_judges(config, by_judges, roster, genres),
        over_training=_gather_points(config, arms, written, everything),
    )


def _find_arms(config: EvaluateConfig) -> tuple[Path, list[Arm], list[str]]:
    """Return the study's folder, its trained arms, and the names of its untrained arms; of `config.arms` if set.

    A study without arms must be named and have judgments or answers: configured ones, a database or judges' files.
    Raises ConfigError if it has none, if no arm is trained, or if one of `config.arms` is not trained or unknown.
    """
    packed = config.study and is_packed(config.study)
    folder = find_study(config.study) if packed else MULTIRUN / (config.study or "")
    given = config.judgments or config.answers or find_database(folder, config.database) or _judges_files(folder)
    if given and config.study and not list(folder.glob("*/manifest.json")):
        return folder, [], []
    study = find_study(config.study)
    arms, untrained = find_done_arms(study, config.arms)
    return study, arms, untrained


def _read_answers(arms: Sequence[Arm], config: EvaluateConfig) -> list[tuple[str | None, Answer]] | None:
    """Return (name of the file of queries, answer) of all first samples; the name is None for the authors' answers.

    Return None if nothing was answered and either files of judgments are configured or there are no arms. Else raise
    ConfigError if no arm has answered one of the configured files of queries, or answers are not comparable.
    """
    if config.answers:
        return [(None, answer) for answer in read_authors_answers(files_of(config.answers))]
    answered = {file.stem for arm in arms for file in arm.folder.glob("generations/*.jsonl")}
    if answered and (missing := [name for name in config.queries if name not in answered]):
        raise ConfigError(
            f"queries={missing[0]}: no arm has generations/{missing[0]}.jsonl, which generate.py "
            f"study={arms[0].study} queries={_value_for_generate(missing[0])} writes"
            + suggestion(missing[0], sorted(answered))
        )
    if not answered and (config.judgments or not arms):
        return None
    return [*choose_answers(arms, config.queries)]


def _value_for_generate(queries: str) -> str:
    """Return what generate.py takes as `queries` for answers of this name: the name, or a file of queries."""
    return queries if queries in (*SHIPPED_QUERIES, HELD_OUT) else f"{queries}.jsonl"


def _tabulate_samples(
    arms: Sequence[Arm], config: EvaluateConfig, written: Sequence[tuple[str | None, Answer]] | None
) -> pl.DataFrame:
    """Return a row, columns as in SAMPLE, for each sample that every arm wrote; failed ones are left out.

    With `config.answers`, the files of other people, the rows are those answers, one sample each. `written` is what
    `_read_answers` returned; if it is None or empty, there are no rows.
    """
    found = [answer for _, answer in written or ()] if config.answers or not written else None
    answers = choose_samples(arms, config.queries) if found is None else found
    return pl.DataFrame([[getattr(one, name) for name in SAMPLE] for one in answers], schema=SAMPLE, orient="row")


def _collect_from_people(study: Path, config: EvaluateConfig) -> Collected | None:
    """Return what annotate.py has collected.

    Return None if files of judgments are configured, if there is no database, or, logging this, if nobody has judged.
    """
    place = find_database(study, config.database)
    if config.judgments or place is None:
        return None
    people = collect_from(place, study.name)
    if people is None or not any(one.is_evidence for one in people.judgments):
        log.info("%s: nobody has judged yet", place if isinstance(place, Path) else "database")
        return None
    return people


def _read_judgments(
    config: EvaluateConfig,
    study: Path,
    arms: Sequence[Arm],
    written: Sequence[tuple[str | None, Answer]] | None,
    people: Collected | None,
    points: Collection[str],
) -> list[Judgment] | None:
    """Read the judgments of the configured files, else those of `people` and the study's judges; None without either.

    They are sorted as by `sort_judgments`. `points` are names that may be judged too. Raises DataError for a judgment
    that cannot be used, such as one of an arm that the study does not have.
    """
    files = files_of(config.judgments) if config.judgments else _judges_files(study)
    if not files and people is None:
        return None
    known = {*_names_of(arms), *points} or None
    langs = {answer.query_id: answer.lang for _, answer in written or ()}
    collected = people.judgments if people else ()
    return sort_judgments(collect_judgments(files, study.name, known, langs, config.rating.scale, collected))


def _leave_out_points(
    points: Set[str], judged: list[Judgment] | None, people: Collected | None, labels: list[Label]
) -> tuple[list[Judgment] | None, Collected | None, list[Label]]:
    """Return judgments, what annotate.py has collected, and labels, without what shows one of `points`; log how many.

    What annotate.py has collected is None if no judgment in it counts then.
    """
    rest = judged and [one for one in judged if points.isdisjoint(one.arms)]
    of_arms = [label for label in labels if label.arm not in points]
    if people:
        people = replace(people, judgments=[one for one in people.judgments if points.isdisjoint(one.arms)])
        people = people if any(one.is_evidence for one in people.judgments) else None
    left_out = len(judged or ()) - len(rest or ()), len(labels) - len(of_arms)
    if any(left_out):
        log.info(
            "points of arms (trainer.answer_at): judgments that show them count in the report's section on them alone "
            "(%d), labels of their answers nowhere (%d)",
            *left_out,
        )
    return rest, people, of_arms


def _gather_points(
    config: EvaluateConfig,
    arms: Sequence[Arm],
    written: Sequence[tuple[str | None, Answer]] | None,
    judged: Sequence[Judgment] | None,
) -> OverTraining:
    """Read the answers of the arms' points to the configured files of queries, and choose the judgments that count.

    Judgments on points of other arms are left out. Raises ConfigError if answers of points and arms are not comparable.
    """
    points = [point for arm in arms for point in list_points(arm)] if written and not config.answers else []
    answers = list_answers(points, config.queries)
    if answers:
        check_comparable([*(written or ()), *answers])
    known = {one.name for one in (*arms, *points)}
    return OverTraining(
        points, answers, [one for one in judged or () if one.is_evidence and known.issuperset(one.arms)]
    )


def _names_of(arms: Sequence[Arm]) -> set[str]:
    """Return the names of all arms, trained or not, of the study of the given arms; an empty set without arms."""
    return {arm.name for arm in find_arms(arms[0].study_folder, None)} if arms else set()


def _judges_files(study: Path) -> list[Path]:
    """Return the sorted paths of the files that judge.py has written into a study's folder."""
    return sorted(study.glob("judgments/*.jsonl"))


def _make_roster(
    arms: Sequence[Arm],
    written: Sequence[tuple[str | None, Answer]] | None,
    judged: Sequence[Judgment] | None,
) -> Roster:
    """Return the roster of all arms that the study has, that answered or that were judged.

    An arm without a folder is described by its name alone.
    """
    trained = make_roster(find_arms(arms[0].study_folder, None)) if arms else Roster(())
    names = {answer.arm for _, answer in written or ()} | {
        name for one in judged or () if one.check is None for name in one.arms
    }
    strangers = [contestant_of_stranger(name) for name in names - set(trained.names)]
    return Roster.of([*trained.contestants, *strangers])


def _check_chosen(config: EvaluateConfig, judged: Sequence[Judgment] | None, roster: Roster) -> None:
    """Raise ConfigError if one of `config.arms` is not in the roster; do nothing if nothing was judged."""
    if judged is None:
        return
    known = {name for one in judged if one.check is None for name in one.arms}
    if unknown := [name for name in config.arms or () if name not in roster.names]:
        raise ConfigError(f"arms: {unknown[0]} was neither judged nor trained" + suggestion(unknown[0], sorted(known)))


def _tabulate(
    config: EvaluateConfig, judged: Sequence[Judgment], roster: Roster, genres: Mapping[str, str | None]
) -> Judgments | None:
    """Tabulate people's judgments, then keep those of `config.arms` if it is set; None without judgments.

    Raises ConfigError if no judgment is left.
    """
    if not judged:
        return None
    judgments = tabulate_judgments(judged, roster.names, genres, config.rating.scale)
    if config.arms is None:
        return judgments
    chosen = judgments.of(config.arms)
    if chosen.verdicts.is_empty() and chosen.ratings.is_empty():
        raise ConfigError("judgments: none is about the arms asked for; add arms to arms=[…], or leave it out")
    return chosen


def _tabulate_judges(
    config: EvaluateConfig, judged: Sequence[Judgment], roster: Roster, genres: Mapping[str, str | None]
) -> JudgeVerdicts | None:
    """Tabulate the records of model judges, of `config.arms` if it is set; None without records."""
    if not judged:
        return None
    judges = tabulate_judges(judged, roster.names, genres)
    return judges if config.arms is None else judges.of(config.arms)
