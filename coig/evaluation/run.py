"""Evaluate a study: measure its answers, analyse its judgments, interpret both, and write the report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from coig.config import EvaluateConfig
from coig.config.fields import MULTIRUN, files_of
from coig.errors import ConfigError, suggestion
from coig.evaluation.findings import interpret
from coig.evaluation.findings.registered import Conduct
from coig.evaluation.measures import measure
from coig.evaluation.measures.answers import measure_answers
from coig.evaluation.preferences import weigh
from coig.evaluation.preferences.judgments import Judgments, collect_judgments, tabulate_judgments
from coig.evaluation.preferences.methods import describe_methods, find_flagged
from coig.evaluation.preferences.win_rates import win_rates
from coig.evaluation.reasoning import trace
from coig.evaluation.report import Evaluation, report
from coig.records.answer import Answer
from coig.records.authors import read_authors_answers
from coig.records.judgment import Judgment
from coig.records.judgment_database import Collected, collect_from, find_database
from coig.records.label import read_labels
from coig.study.answers import choose_answers
from coig.study.arm import Arm
from coig.study.find import find_arms, find_done_arms, find_study, make_roster
from coig.study.raters import name_raters
from coig.study.registration import read_registered
from coig.study.roster import Roster, contestant_of_stranger

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """What an evaluation reads: a study's trained arms, their measured answers, and the judgments.

    `untrained` are the names of the arms that are left out. `answers` is the frame of `measure_answers`. `answers`,
    `judged` and its tables `judgments` are None if there are none.
    """

    study: Path
    arms: list[Arm]
    untrained: list[str]
    roster: Roster
    answers: pl.DataFrame | None
    judged: list[Judgment] | None
    judgments: Judgments | None
    people: Collected | None  # what annotate.py has collected


def gather(config: EvaluateConfig) -> Material:
    """Read arms, answers and judgments. Raise ConfigError or DataError for what is missing or cannot be used."""
    study, arms, untrained = _find_arms(config)
    written = _read_answers(arms, config)
    people = _collect_from_people(study, config)
    judged = _read_judgments(config, study.name, arms, written, people)
    roster = _make_roster(arms, written, judged)
    answers = measure_answers(written, roster) if written is not None else None
    judgments = _tabulate(config, judged, roster, written)
    return Material(study, arms, untrained, roster, answers, judged, judgments, people)


def evaluate(config: EvaluateConfig) -> None:
    """Measure a study's answers, analyse its judgments, and write the report into the study's `evaluation/`."""
    labels = read_labels(*files_of(config.labels))
    material = gather(config)
    arms, roster, answers = material.arms, material.roster, material.answers
    judgments, people = material.judgments, material.people
    tables: dict[str, pl.DataFrame] = {}
    if answers is not None:
        tables |= {"answers": answers} | measure(answers) | trace(answers, labels)
    if judgments is not None:
        tables |= weigh(judgments, answers, roster.names)
        flagged = find_flagged(people) if people else []
        if flagged:
            tables["win_rates_unflagged"] = win_rates(judgments.without_raters(flagged).verdicts, roster.names)
    conduct, plan = _describe_conduct(config, material), read_registered(material.study)
    findings = interpret(arms, roster, answers, judgments, tables, conduct, plan)
    tables |= findings.tables
    if "raters" in tables and not config.real_names:
        tables["raters"] = name_raters(tables["raters"], material.judged or (), material.study)
    evaluation = Evaluation(
        study=material.study.name,
        roster=roster.keep(_compared(tables)),
        tables=tables,
        findings=findings,
        notes=tuple(f"{name} is not fully trained and is left out." for name in material.untrained) + findings.notes,
        manifests=[arm.manifest() for arm in arms],
        methods=describe_methods(people) if people else "",
    )
    report(evaluation, arms, material.study / "evaluation")


def _find_arms(config: EvaluateConfig) -> tuple[Path, list[Arm], list[str]]:
    """Return the study's folder, its trained arms, and the names of its other arms.

    If judgments or answers are given, a study without arms is allowed.
    """
    folder = MULTIRUN / (config.study or "")
    given = config.judgments or config.answers or find_database(folder, config.database)
    if given and config.study and not list(folder.glob("*/manifest.json")):
        return folder, [], []
    study = find_study(config.study)
    arms, untrained = find_done_arms(study, config.arms)
    return study, arms, untrained


def _read_answers(arms: Sequence[Arm], config: EvaluateConfig) -> list[tuple[str | None, Answer]] | None:
    """Return (name of the file of queries, answer) pairs; the name is None for the authors' answers.

    Return None if there are no answers but judgments. Raise ConfigError if no arm has answered a named file of queries.
    """
    if config.answers:
        return [(None, answer) for answer in read_authors_answers(files_of(config.answers))]
    answered = {file.stem for arm in arms for file in arm.folder.glob("generations/*.jsonl")}
    if answered and (missing := [name for name in config.queries if name not in answered]):
        raise ConfigError(
            f"queries={missing[0]}: no arm has generations/{missing[0]}.jsonl"
            + suggestion(missing[0], sorted(answered))
        )
    if not answered and (config.judgments or not arms):
        return None
    return [*choose_answers(arms, config.queries)]


def _collect_from_people(study: Path, config: EvaluateConfig) -> Collected | None:
    """Return what annotate.py has collected, unless files of judgments are configured; None if it has nothing."""
    place = find_database(study, config.database)
    if config.judgments or place is None:
        return None
    people = collect_from(place, study.name)
    if people is None or not any(one.counts for one in people.judgments):
        log.info("%s: nobody has judged yet", place if isinstance(place, Path) else "database")
        return None
    return people


def _read_judgments(
    config: EvaluateConfig,
    study: str,
    arms: Sequence[Arm],
    written: Sequence[tuple[str | None, Answer]] | None,
    people: Collected | None,
) -> list[Judgment] | None:
    """Read the judgments that count: those of the configured files, else those of people; None without any.

    Raise DataError for a judgment that cannot be used, such as one of an arm that the study does not have.
    """
    if not config.judgments and people is None:
        return None
    known = {arm.name for arm in find_arms(arms[0].folder.parent, None)} if arms else None
    langs = {answer.query_id: answer.lang for _, answer in written or ()}
    collected = people.judgments if people else ()
    return collect_judgments(files_of(config.judgments), study, known, langs, config.rating.scale, collected)


def _make_roster(
    arms: Sequence[Arm],
    written: Sequence[tuple[str | None, Answer]] | None,
    judged: Sequence[Judgment] | None,
) -> Roster:
    """Return the roster of all arms that were trained, answered or judged; arms without a folder have only a name."""
    trained = make_roster(find_arms(arms[0].folder.parent, None)) if arms else Roster(())
    names = {answer.arm for _, answer in written or ()} | {name for one in judged or () for name in one.arms}
    strangers = [contestant_of_stranger(name) for name in names - set(trained.names)]
    return Roster.of([*trained.contestants, *strangers])


def _tabulate(
    config: EvaluateConfig,
    judged: Sequence[Judgment] | None,
    roster: Roster,
    written: Sequence[tuple[str | None, Answer]] | None,
) -> Judgments | None:
    """Tabulate all judgments, then keep those of `config.arms` if it is set; None without judgments.

    Raises ConfigError if one of `config.arms` is unknown, or if no judgment is left.
    """
    if judged is None:
        return None
    genres = {answer.query_id: answer.genre for _, answer in written or ()}
    judgments = tabulate_judgments(judged, roster.names, genres, config.rating.scale)
    if config.arms is None:
        return judgments
    known = {name for one in judged for name in one.arms}
    if unknown := [name for name in config.arms if name not in roster.names]:
        raise ConfigError(f"arms: {unknown[0]} was neither judged nor trained" + suggestion(unknown[0], sorted(known)))
    chosen = judgments.of(config.arms)
    if chosen.verdicts.is_empty() and chosen.ratings.is_empty():
        raise ConfigError("judgments: none is about the arms asked for; add arms to arms=[…], or leave it out")
    return chosen


def _describe_conduct(config: EvaluateConfig, material: Material) -> Conduct:
    """Return what a registered plan is held against."""
    left_out = set() if config.arms is None else set(material.roster.names) - set(config.arms)
    judged = material.judged or ()
    return Conduct(config.queries, config.claims.margin / 100, tuple(sorted(left_out)), judged)


def _compared(tables: dict[str, pl.DataFrame]) -> set[str]:
    """Return the names of the arms in the tables of automatic measures, win rates and ratings."""
    return {name for table in ("automatic", "win_rates", "ratings") if table in tables for name in tables[table]["arm"]}
