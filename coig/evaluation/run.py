"""Evaluate a study: measure its answers, analyse its judgments, interpret both, and write the report."""

from __future__ import annotations

import logging
from contextlib import suppress

import polars as pl

from coig.config import EvaluateConfig
from coig.config.fields import files_of
from coig.display.numbers import counted
from coig.errors import DataError
from coig.evaluation.findings.caveats import notes_on_learned
from coig.evaluation.findings.interpret import interpret
from coig.evaluation.findings.judges.card import People
from coig.evaluation.findings.judges.examine import JudgeFindings, examine_judges
from coig.evaluation.findings.over_training import point_measures, point_rates, point_table
from coig.evaluation.findings.registered import Conduct
from coig.evaluation.findings.scored import tabulate_scores
from coig.evaluation.material import Material, gather_material
from coig.evaluation.measures import compare_texts, tabulate_measures
from coig.evaluation.measures.answers import measure_answers
from coig.evaluation.measures.tables import automatic_table
from coig.evaluation.preferences import tabulate_preferences
from coig.evaluation.preferences.judges import read_yardstick_verdicts, tabulate_judges
from coig.evaluation.preferences.judgments import VERDICT
from coig.evaluation.preferences.methods import describe_methods, find_flagged
from coig.evaluation.preferences.win_rates import compute_win_rates, compute_without_copies
from coig.evaluation.reasoning import tabulate_reasoning
from coig.evaluation.report import Evaluation, report
from coig.evaluation.report.results import round_tables
from coig.study.registration import read_registered
from coig.study.results import read_measures
from coig.study.roster import Contestant, Roster
from coig.study.tracking import find_tracked

log = logging.getLogger(__name__)


def evaluate(config: EvaluateConfig) -> None:
    """Measure a study's answers, analyse its judgments, and write the report into the study's `evaluation/`.

    Main tables are printed too, and logged to W&B if training was. Raters get pseudonyms unless `real_names` is set.
    Raises ConfigError or DataError as `gather_material` does.
    """
    material = gather_material(config)
    tracked = find_tracked(material.arms, config.trusted)
    arms, roster, answers = material.arms, material.roster, material.answers
    judgments, people = material.judgments, material.people
    tables: dict[str, pl.DataFrame] = {}
    if answers is not None:
        tables |= compare_texts(answers, material.samples, material.learned, roster.reference)
        answers = tables["answers"]
        tables |= tabulate_measures(answers) | tabulate_reasoning(answers, material.labels)
    if judgments is not None:
        tables |= tabulate_preferences(judgments, answers, roster.names)
        if answers is not None:
            rates, verdicts = tables["win_rates"], judgments.verdicts
            tables["win_rates_uncopied"] = compute_without_copies(rates, verdicts, answers)
        flagged = find_flagged(people) if people else []
        if flagged:
            tables["win_rates_unflagged"] = compute_win_rates(judgments.without_raters(flagged).verdicts, roster.names)
    conduct, plan = _describe_conduct(config, material), read_registered(material.study)
    tables["scores"] = tabulate_scores(arms, material.scores)
    tables |= _tabulate_points(material, tables)
    findings = interpret(arms, roster, answers, judgments, tables, conduct, plan, material.compared)
    tables |= findings.tables
    judges = _examine_judges(config, material)
    tables |= judges.tables if judges else {}
    evaluation = Evaluation(
        study=material.study.name,
        roster=roster.keep(_list_compared(tables)),
        tables=round_tables(tables),
        findings=findings,
        notes=(
            *(f"{name} is not fully trained and is left out." for name in material.untrained),
            *notes_on_learned(material.learned.unknown),
            *findings.notes,
        ),
        manifests=[arm.manifest() for arm in arms],
        methods=describe_methods(people) if people else "",
        judges=judges.answers if judges else (),
        varied=tuple(dict.fromkeys(key for arm in arms for key in arm.config().vary)),
    )
    _tell_of_replaced(material, evaluation)
    report(evaluation, arms, next(iter(tracked.values()), None), material.study / "evaluation")


def _tell_of_replaced(material: Material, evaluation: Evaluation) -> None:
    """Log a warning if the study's last report is of more arms than this one, which is written over it."""
    with suppress(DataError):  # a damaged file is written anew
        earlier = set(read_measures(material.study)["arm"])
        if len(earlier) > len(evaluation.arms):
            log.warning(
                "%s: the report of %d arms is replaced by one of %s; without arms=[…] it is of all arms again",
                material.study / "evaluation",
                len(earlier),
                counted(len(evaluation.arms), "arm"),
            )


def _tabulate_points(material: Material, tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the tables of what arms were after shares of their training, by name; {} if no point has answered."""
    found, answers = material.over_training, material.answers
    if answers is None or not found.answers:
        return {}
    genres = {answer.query_id: answer.genre for _, answer in found.answers}
    roster = Roster(tuple(Contestant(point.name, None) for point in found.points))
    measured = automatic_table(measure_answers(found.answers, roster))
    rates = point_rates(found.points, found.judged, material.roster, genres)
    return {
        "points": point_table(material.arms, found.points, tables["automatic"], measured),
        "point_rates": rates,
        "point_measures": point_measures(found.points, measured, rates),
    }


def _examine_judges(config: EvaluateConfig, material: Material) -> JudgeFindings | None:
    """Compare the model judges with people and with a yardstick; None if no model judged and there is no yardstick.

    A yardstick's files are those of `config.yardstick`, else those in the study's `judgments/yardstick`.
    """
    yardstick = files_of(config.yardstick) or sorted(material.study.glob("judgments/yardstick/*.jsonl"))
    if material.judges is None and not yardstick:
        return None
    verdicts = material.judgments.verdicts if material.judgments else pl.DataFrame(schema=VERDICT)
    checks = [one for one in material.people.judgments if one.check] if material.people else []
    return examine_judges(
        material.judges or tabulate_judges((), material.roster.names, {}),
        read_yardstick_verdicts(yardstick),
        People(verdicts, material.judged or (), checks),
        material.answers,
        {arm.name: arm.manifest().model.name for arm in material.arms},
        material.roster.names,
    )


def _describe_conduct(config: EvaluateConfig, material: Material) -> Conduct:
    """Return what a registered plan is compared with: files of queries, margin, arms left out, people's judgments.

    The margin is a share (0–1). Without `config.arms` no arm is left out.
    """
    left_out = set() if config.arms is None else set(material.roster.names) - set(config.arms)
    judged = material.judged or ()
    return Conduct(config.queries, config.claims.margin / 100, tuple(sorted(left_out)), judged)


def _list_compared(tables: dict[str, pl.DataFrame]) -> set[str]:
    """Return the names of the arms that have rows in automatic measures, win rates, ratings or judges' win rates."""
    return {
        name
        for table in ("automatic", "win_rates", "ratings", "judge_rates")
        if table in tables
        for name in tables[table]["arm"]
    }
