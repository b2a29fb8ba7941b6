"""Interpret an evaluation's tables: check the paper's claims, answer the study's question, note caveats."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from coig.config import Question
from coig.evaluation.findings.by_arm import measures_by_arm
from coig.evaluation.findings.caveats import (
    notes_on_answers,
    notes_on_cut_off_answers,
    notes_on_damage,
    notes_on_empty_answers,
    notes_on_engines,
    notes_on_failures,
    notes_on_judgments,
    notes_on_strengths,
)
from coig.evaluation.findings.cells import (
    Cell,
    average_over_seeds,
    group_by_seed,
    group_strangers_by_seed,
    verdicts_between,
)
from coig.evaluation.findings.claims import claim_table, signature_table
from coig.evaluation.findings.contrasts import CONTRASTS, contrast_table, find_contrasts
from coig.evaluation.findings.doses import dose_tables
from coig.evaluation.findings.halves import halves_in_words
from coig.evaluation.findings.look_ahead import look_ahead_table
from coig.evaluation.findings.noise import noise_table, note_on_seeds
from coig.evaluation.findings.orders import order_table
from coig.evaluation.findings.registered import Conduct, RegisteredPlan, follow_plan
from coig.evaluation.findings.summary import Summary
from coig.evaluation.findings.thresholds import doses_in_words, threshold_claims
from coig.evaluation.findings.trade_offs import trade_offs_in_words
from coig.evaluation.findings.wording import QuestionAnswer, answers_in_words
from coig.evaluation.measures.tables import comparison_table
from coig.evaluation.preferences.judgments import Judgments
from coig.evaluation.preferences.win_rates import compute_win_rates
from coig.records.answer import Answer
from coig.study.arm import Arm
from coig.study.registration import Registered
from coig.study.roster import Roster

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """The interpretation of a study.

    `tables` are those of CLAIMS, SIGNATURES and CONTRASTS, and the tables of doses (`doses.TABLES`), by name. `margin`
    is the smallest advantage in win rate that matters, as a share. `doses` has an answer per language on how results
    depend on the ratio, `trade_offs` on what it buys and costs. `question` is the text of the study's question, None
    without one; `question_answers` has an answer per language. `halves` has a sentence per pool filtered by diversity.
    `registered` is what became of the study's registered plan, None without one.
    """

    tables: Mapping[str, pl.DataFrame]
    margin: float
    doses: tuple[Summary, ...]
    trade_offs: tuple[Summary, ...]
    question: str | None
    question_answers: tuple[QuestionAnswer, ...]
    halves: tuple[str, ...]
    notes: tuple[str, ...]
    registered: RegisteredPlan | None = None


def interpret(
    arms: Sequence[Arm],
    roster: Roster,
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    tables: Mapping[str, pl.DataFrame],
    conduct: Conduct,
    plan: Registered | None = None,
    compared: Judgments | None = None,
) -> Findings:
    """Check the paper's claims, answer the study's question, and note what weakens the results.

    Where arms differ in their seed alone, the claims are checked on the arms pooled over their seeds. If the arms'
    questions differ, only the first is answered, with a warning.

    Args:
        answers: the frame of `measure_answers`; None if no answers were read.
        judgments: people's; None if nobody judged.
        tables: the evaluation's tables by name.
        conduct: how the evaluation was carried out; its margin is the smallest advantage in win rate that matters.
        plan: the study's registered plan; None without one.
        compared: people's judgments with the verdicts of model judges, which only a registered plan, the curves over
            the ratio and the look ahead show, apart from people's; None without judges.
    """
    margin = conduct.margin
    cells = group_by_seed(arms) if arms else group_strangers_by_seed(roster)
    rated = (judgments.ratings, judgments.scale) if judgments else (None,)
    question = _choose_question(arms)
    empty = pl.DataFrame(schema=CONTRASTS)
    contrasts = _contrast(question, cells, arms, answers, judgments, margin) if question else empty
    reference = Roster.of(cell.contestant for cell in cells).reference
    everybody = compared or judgments
    doses = dose_tables(cells, arms, answers, everybody, margin, tables.get("scores"))
    cell_of = {arm: cell.name for cell in cells for arm in cell.arms}
    interpreted = {
        "measures": measures_by_arm(tables, roster),
        "noise": noise_table(cells, reference, answers, judgments, margin),
        "orders": order_table(cells, arms, answers, judgments, margin),
        "look_ahead": look_ahead_table(arms, everybody),
        "claims": _check_claims(cells, roster, answers, judgments, tables, doses, margin),
        "contrasts": contrasts,
        "signatures": signature_table(roster, tables.get("win_rates"), tables.get("automatic"), *rated),
    }
    registered = follow_plan(plan, conduct, cell_of, answers, everybody, doses["thresholds"]) if plan else None
    if registered:
        interpreted["registered"] = registered.table
    return Findings(
        tables=interpreted | doses,
        margin=margin,
        doses=tuple(doses_in_words(doses)),
        trade_offs=tuple(trade_offs_in_words(doses["trade_offs"])),
        question=question.ask if question else None,
        question_answers=tuple(answers_in_words(question, contrasts, margin)) if question else (),
        halves=halves_in_words(arms),
        notes=(*_notes(arms, answers, judgments, tables), *(note_on_seeds(cells) if arms else ())),
        registered=registered,
    )


def _check_claims(
    cells: Sequence[Cell],
    roster: Roster,
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    tables: Mapping[str, pl.DataFrame],
    doses: Mapping[str, pl.DataFrame],
    margin: float,
) -> pl.DataFrame:
    """Return the table of the paper's claims, of arms pooled over their seeds if there are several; see `interpret`.

    `doses` has the tables of `dose_tables`, of which the claim about the ratio 1:12 takes the thresholds.
    """
    inputs = (roster, tables.get("win_rates"), tables.get("automatic"), tables.get("comparisons"))
    if any(len(cell.arms) > 1 for cell in cells):
        inputs = _pool_seeds(cells, answers, judgments, tables)
    cell_of = {arm: cell.name for cell in cells for arm in cell.arms}
    at_twelve = inputs[0].find_plain("10k")
    claimed = threshold_claims(doses["thresholds"], doses["doses"], cell_of.get(at_twelve or "", at_twelve))
    return claim_table(*inputs, margin, claimed)


def _notes(
    arms: Sequence[Arm],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    tables: Mapping[str, pl.DataFrame],
) -> list[str]:
    """Collect the notes on answers, damaged characters, failed queries and engines, and on judgments and strengths.

    All but the last two need `answers`, those on judgments and strengths need `judgments`; without both the list is
    empty.
    """
    notes = []
    if answers is not None:
        notes += notes_on_answers(answers, {arm.name: arm.config().seed for arm in arms})
        answered = _read_answers(arms, answers["queries"].drop_nulls().unique(maintain_order=True))
        notes += notes_on_empty_answers(tables["automatic"]) + notes_on_cut_off_answers(answered)
        notes += notes_on_damage(answers) + notes_on_failures(answered) + notes_on_engines(answered)
    if judgments is not None:
        notes += notes_on_judgments(judgments, answers) + notes_on_strengths(tables["strengths"])
    return notes


def _read_answers(arms: Sequence[Arm], files: pl.Series) -> dict[str, dict[str, list[Answer]]]:
    """Read the arms' answers from disk as {file of queries: {arm: answers}}; `files` names the files of queries.

    An arm that has not answered a file of queries is missing under it.
    """
    return {
        queries: {arm.name: arm.answers(queries) for arm in arms if arm.generations(queries).exists()}
        for queries in files
    }


def _choose_question(arms: Sequence[Arm]) -> Question | None:
    """Return the question of the first arm that has one, None if no arm has one; log a warning if the arms' differ."""
    asked = [question for arm in arms if (question := arm.config().question)]
    if len(questions := {question.ask for question in asked}) > 1:
        log.warning("the arms ask %d questions; only this one is answered: %s", len(questions), asked[0].ask)
    return asked[0] if asked else None


def _contrast(
    question: Question,
    cells: Sequence[Cell],
    arms: Sequence[Arm],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> pl.DataFrame:
    """Return the table of the question's contrasts; columns as in CONTRASTS.

    If no two cells form a contrast, log a warning and return an empty table.
    """
    contrasts = find_contrasts(question, cells)
    if not contrasts:
        values = sorted({cell.values[question.compare] for cell in cells if question.compare in cell.values})
        base = f"{question.compare}={question.baseline}"
        log.warning("no two arms form a contrast with %s; the arms have: %s", base, ", ".join(values))
    order = Roster.of(cell.contestant for cell in cells).names
    return contrast_table(contrasts, answers, judgments.verdicts if judgments else None, arms, order, margin)


def _pool_seeds(
    cells: Sequence[Cell],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    tables: Mapping[str, pl.DataFrame],
) -> tuple[Roster, pl.DataFrame | None, pl.DataFrame | None, pl.DataFrame | None]:
    """Return roster, win rates, automatic measures and comparisons of the cells, each cell counted as one arm.

    Win rates are None without judgments; automatic measures and comparisons are None without answers. Automatic
    measures are means of the arms' means.
    """
    roster = Roster.of(cell.contestant for cell in cells)
    names = {arm: cell.name for cell in cells for arm in cell.arms}
    rates = None
    if judgments is not None:
        rates = compute_win_rates(verdicts_between(judgments.verdicts, names, roster.names), roster.names)
    if answers is None:
        return roster, rates, None, None
    of_cells = tables["automatic"].with_columns(pl.col("arm").replace(names))
    means = of_cells.group_by("lang", "arm", maintain_order=True).agg(pl.selectors.numeric().mean())
    return roster, rates, means, comparison_table(average_over_seeds(answers, names))
