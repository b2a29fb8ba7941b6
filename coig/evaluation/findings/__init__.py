"""What the figures say: claims, contrasts, caveats, in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from coig.config import Question
from coig.evaluation.findings.caveats import notes_on_answers, notes_on_failures, notes_on_judgments, notes_on_strengths
from coig.evaluation.findings.cells import Cell, averaged, group_by_seed, verdicts_between
from coig.evaluation.findings.claims import claims, signatures
from coig.evaluation.findings.contrasts import CONTRASTS, contrast_table, contrasts_of
from coig.evaluation.findings.halves import halves_in_words
from coig.evaluation.findings.wording import QuestionAnswer, answers_in_words
from coig.evaluation.measures.tables import comparisons
from coig.evaluation.preferences.judgments import Judgments
from coig.evaluation.preferences.win_rates import win_rates
from coig.study.arm import Arm
from coig.study.roster import Roster

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """What a study says.

    margin: the advantage that matters, as a share. question: what it was made to answer. halves: a sentence on each
    pool of which a half is used.
    """

    claims: pl.DataFrame
    signatures: pl.DataFrame
    contrasts: pl.DataFrame
    margin: float
    question: str | None
    question_answers: tuple[QuestionAnswer, ...]
    halves: tuple[str, ...]
    notes: tuple[str, ...]


def interpret(
    arms: Sequence[Arm],
    roster: Roster,
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    tables: Mapping[str, pl.DataFrame],
    margin: float,
) -> Findings:
    """Hold the paper's claims and the study's question against its tables, and say what a reader must know.

    `margin`: the advantage that matters, as a share.
    """
    cells = group_by_seed(arms)
    pooled = _pool_seeds(cells, answers, judgments, tables) if _has_seeds(cells) else None
    rated = (judgments.ratings, judgments.scale) if judgments else (None,)
    of_claims = pooled or (roster, tables.get("win_rates"), tables.get("automatic"), tables.get("comparisons"))
    question = _choose_question(arms)
    contrasts = pl.DataFrame(schema=CONTRASTS)
    if question:
        contrasts = _contrast(question, cells, arms, answers, judgments, margin)
    return Findings(
        claims=claims(*of_claims, margin),
        signatures=signatures(roster, tables.get("win_rates"), tables.get("automatic"), *rated),
        contrasts=contrasts,
        margin=margin,
        question=question.ask if question else None,
        question_answers=tuple(answers_in_words(question, contrasts, margin)) if question else (),
        halves=halves_in_words(arms),
        notes=tuple(_notes(arms, answers, judgments, tables)),
    )


def _notes(
    arms: Sequence[Arm],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    tables: Mapping[str, pl.DataFrame],
) -> list[str]:
    notes = []
    if answers is not None:
        notes += notes_on_answers(answers, {arm.name: arm.config().seed for arm in arms})
        notes += notes_on_failures(_failed_queries(arms, answers["queries"].drop_nulls().unique(maintain_order=True)))
    if judgments is not None:
        notes += notes_on_judgments(judgments, answers) + notes_on_strengths(tables["strengths"])
    return notes


def _failed_queries(arms: Sequence[Arm], files: pl.Series) -> dict[str, dict[str, set[str]]]:
    """Return by file of queries and arm the ids of the queries whose answer failed; of arms that were asked them."""
    return {
        queries: {
            arm.name: {answer.query_id for answer in arm.answers(queries) if answer.failed and answer.sample == 0}
            for arm in arms
            if arm.generations(queries).exists()
        }
        for queries in files
    }


def _choose_question(arms: Sequence[Arm]) -> Question | None:
    """Return what the study was made to answer."""
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
    contrasts = contrasts_of(question, cells)
    if not contrasts:
        values = sorted({cell.values[question.compare] for cell in cells if question.compare in cell.values})
        base = f"{question.compare}={question.baseline}"
        log.warning("nothing to hold against %s among the arms: there are %s", base, ", ".join(values))
    order = Roster.of(cell.contestant for cell in cells).names
    return contrast_table(contrasts, answers, judgments.comparisons if judgments else None, arms, order, margin)


def _has_seeds(cells: Sequence[Cell]) -> bool:
    return any(len(cell.arms) > 1 for cell in cells)


def _pool_seeds(
    cells: Sequence[Cell],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    tables: Mapping[str, pl.DataFrame],
) -> tuple[Roster, pl.DataFrame | None, pl.DataFrame | None, pl.DataFrame | None]:
    """Return roster, win rates, automatic measures and comparisons, arms that differ in their seed alone as one."""
    roster = Roster.of(cell.contestant for cell in cells)
    names = {arm: cell.name for cell in cells for arm in cell.arms}
    rates = None
    if judgments is not None:
        rates = win_rates(verdicts_between(judgments.comparisons, names, roster.names), roster.names)
    if answers is None:
        return roster, rates, None, None
    of_cells = tables["automatic"].with_columns(pl.col("arm").replace(names))
    means = of_cells.group_by("lang", "arm", maintain_order=True).agg(pl.selectors.numeric().mean())
    return roster, rates, means, comparisons(averaged(answers, names))
