"""Contrasts of a study's question: pairs of cells that differ in one key only, compared by every measure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import polars as pl

from coig.config import Question
from coig.evaluation.findings.cells import Cell, average_over_seeds, group_by_setting, verdicts_between
from coig.evaluation.findings.rule import LEVEL, decide
from coig.evaluation.measures.tables import compare_arms
from coig.evaluation.preferences.win_rates import compute_win_rates
from coig.statistics.intervals import holm
from coig.study.arm import Arm
from coig.study.results import LOSS
from coig.text.language_codes import LANGUAGES

PREFERRED = "win rate"
COUNTED = ("finished", "characters", "ttr_100", "mattr", "contaminated")
CONTRASTS: dict[str, Any] = {
    **dict.fromkeys(("lang", "queries", "setting", "value", "arm", "opponent", "measure"), pl.String),
    "n": pl.Int64,  # verdicts or queries
    **dict.fromkeys(("of_arm", "of_opponent", "difference", "low", "high", "p", "p_holm", "excluded"), pl.Float64),
    "prompts_needed": pl.Int64,
    "finding": pl.String,
}


@dataclass(frozen=True)
class Contrast:
    """A cell compared with the cell that has the question's baseline and the same other settings.

    `value` is the arm's value of the compared key. `setting` names the varied settings that both cells share.
    """

    arm: Cell
    opponent: Cell
    value: str
    setting: str


def find_contrasts(question: Question, cells: Sequence[Cell]) -> list[Contrast]:
    """Pair each cell with the cell that has the question's baseline and the same values of all other keys.

    The pairs are in the order of `cells`. A cell without such a partner, and the baseline's cell itself, has no pair.
    """
    key = question.compare
    settings = {cell.name: setting for setting, members in group_by_setting(cells, key).items() for cell in members}
    baselines = [cell for cell in cells if cell.values.get(key) == question.baseline]
    return [
        Contrast(cell, other, cell.values[key], settings[cell.name])
        for cell in cells
        for other in baselines
        if cell is not other and key in cell.values and settings[cell.name] == settings[other.name]
    ]


def contrast_table(
    contrasts: Sequence[Contrast],
    answers: pl.DataFrame | None,
    verdicts: pl.DataFrame | None,
    arms: Sequence[Arm],
    order: Sequence[str],
    margin: float,
) -> pl.DataFrame:
    """Compute a row per language, file of queries, contrast and measure; columns as in CONTRASTS.

    Measures are the win rate, those of COUNTED, and the held-out loss, which has no file of queries and no p. A cell's
    answers to a query are averaged over its seeds. p values are corrected (Holm) within a language and file of queries:
    those of win rates together, and those of the other measures together.

    Args:
        answers: the frame of `measure_answers`; None without answers.
        verdicts: columns as in VERDICT; None without judgments.
        order: the cells' names; of two, the earlier is `arm` in the win rates.
        margin: the smallest advantage in win rate that matters, as a share: see `rule.decide`.
    """
    if not contrasts:
        return pl.DataFrame(schema=CONTRASTS)
    names = {arm: cell.name for one in contrasts for cell in (one.arm, one.opponent) for arm in cell.arms}
    rows: list[dict[str, Any]] = []
    if verdicts is not None:
        rows += _preferences(contrasts, verdicts_between(verdicts, names, order), answers, order, margin)
    if answers is not None:
        for (lang, queries), part in average_over_seeds(answers, names).group_by(
            "lang", "queries", maintain_order=True
        ):
            rows += [{"lang": lang, "queries": queries} | row for row in _counts(contrasts, part)]
    rows += _losses(contrasts, arms)
    table = pl.DataFrame([{key: row.get(key) for key in CONTRASTS} for row in rows], schema=CONTRASTS)
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def _about(contrast: Contrast) -> dict[str, Any]:
    """Return the columns that identify a contrast: arm, opponent, setting and value."""
    names = {"arm": contrast.arm.name, "opponent": contrast.opponent.name}
    return names | {"setting": contrast.setting, "value": contrast.value}


def _preferences(
    contrasts: Sequence[Contrast],
    verdicts: pl.DataFrame,
    answers: pl.DataFrame | None,
    order: Sequence[str],
    margin: float,
) -> Iterator[dict[str, Any]]:
    """Yield a row of CONTRASTS for the win rate of each judged contrast, by language and file of queries.

    `difference`, `low` and `high` are the rate and its limits less one half.
    """
    queries = (
        {} if answers is None else dict(answers.select("query_id", "queries").unique(maintain_order=True).iter_rows())
    )
    with_files = verdicts.with_columns(
        genre=pl.lit(None, pl.String),
        queries=pl.col("query_id").replace_strict(queries, default=None, return_dtype=pl.String),
    )
    for (lang, name), part in with_files.group_by("lang", "queries", maintain_order=True):
        rates = {
            (row["arm"], row["opponent"]): row for row in compute_win_rates(part.drop("queries"), order).to_dicts()
        }
        judged = [(one, rates[pair]) for one in contrasts if (pair := (one.arm.name, one.opponent.name)) in rates]
        for (one, rate), p in zip(judged, holm([rate["p"] for _, rate in judged]), strict=True):
            decision = decide(rate | {"p_holm": p}, margin)
            yield _about(one) | {
                "lang": lang,
                "queries": name,
                "measure": PREFERRED,
                "n": rate["verdicts"],
                "of_arm": rate["rate"],
                "of_opponent": 1 - rate["rate"],
                "difference": rate["rate"] - 0.5,
                **{end: None if rate[end] is None else rate[end] - 0.5 for end in ("low", "high")},
                "p": rate["p"],
                "p_holm": p,
                "finding": decision.finding,
                "excluded": decision.excluded,
                "prompts_needed": decision.prompts_needed,
            }


def _counts(contrasts: Sequence[Contrast], part: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a row, without `lang` and `queries`, per contrast and measure of COUNTED that both cells have.

    Means and difference are over the queries where both have the measure.

    Args:
        part: the averaged answers of one language and file of queries.
    """
    names = set(part["arm"])
    answered = [one for one in contrasts if {one.arm.name, one.opponent.name} <= names]
    pairs = [(one.arm.name, one.opponent.name) for one in answered]
    rows = []
    for measure in COUNTED if pairs else ():
        for one, found in zip(answered, compare_arms(part, measure, pairs), strict=True):
            if found.n:
                means = {"n": found.n, "of_arm": found.first, "of_opponent": found.second}
                tested = {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p}
                rows.append(_about(one) | {"measure": measure} | means | tested)
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        way = "higher" if row["difference"] > 0 else "lower"
        row |= {"p_holm": p, "finding": way if p < LEVEL else "no difference found"}
    return rows


def _losses(contrasts: Sequence[Contrast], arms: Sequence[Arm]) -> Iterator[dict[str, Any]]:
    """Yield a row of the held-out loss (nats per token) of each contrast whose arms have the same held-out tokens.

    Losses are averaged over the seeds. There is one loss per arm, so the difference is not tested.
    """
    losses = {arm.name: arm.held_out_losses(LANGUAGES) for arm in arms}
    asked = {arm.name: held_out_conditions(arm) for arm in arms}
    for one in contrasts:
        same = [(a, b) for a in one.arm.arms for b in one.opponent.arms if asked[a] == asked[b]]
        for lang in LANGUAGES:
            both = [(losses[a][lang], losses[b][lang]) for a, b in same if lang in losses[a] and lang in losses[b]]
            if both:
                first, second = (mean(side) for side in zip(*both, strict=True))
                figures = {"of_arm": first, "of_opponent": second, "difference": first - second}
                yield _about(one) | figures | {"lang": lang, "measure": LOSS, "finding": "not tested"}


def held_out_conditions(arm: Arm) -> str:
    """Return as JSON what two arms must share for their held-out losses to be comparable.

    That is the seed, the model, whether targets hold the reasoning, and the held-out triplets and their tokens.
    Held-out general examples are not included, because a study may compare arms with different general data.
    """
    config, groups = arm.config(), arm.manifest().data.validation
    return json.dumps(
        [
            config.seed,
            config.supervision.with_reasoning,
            config.model.path,
            [[group.lang, group.examples, group.tokens] for group in groups if group.kind == "creative"],
        ]
    )
