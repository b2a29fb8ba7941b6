"""What a study's question compares: cells that differ in one key alone, by verdicts and by everything counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import polars as pl

from coig.config import Question
from coig.config.fields import LANGUAGES
from coig.evaluation.findings.cells import Cell, averaged, verdicts_between
from coig.evaluation.findings.rule import LEVEL, decide
from coig.evaluation.measures.tables import compare_arms
from coig.evaluation.preferences.win_rates import win_rates
from coig.statistics.intervals import holm
from coig.study.arm import Arm

PREFERRED, LOSS = "win rate", "held-out loss"
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
    """A cell and the one with the question's baseline; `setting` is what both have in common of what is varied."""

    arm: Cell
    opponent: Cell
    value: str
    setting: str


def contrasts_of(question: Question, cells: Sequence[Cell]) -> list[Contrast]:
    """Each cell beside the one that has the question's baseline and else the same values."""
    key = question.compare
    names = dict.fromkeys(name for cell in cells for name in cell.values if name != key)
    varied = [name for name in names if len({cell.values.get(name) for cell in cells}) > 1]
    baselines = [cell for cell in cells if cell.values.get(key) == question.baseline]
    return [
        Contrast(cell, other, cell.values[key], ", ".join(f"{name} {cell.values[name]}" for name in varied))
        for cell in cells
        for other in baselines
        if cell is not other and key in cell.values and cell.without(key) == other.without(key)
    ]


def contrast_table(
    contrasts: Sequence[Contrast],
    answers: pl.DataFrame | None,
    comparisons: pl.DataFrame | None,
    arms: Sequence[Arm],
    order: Sequence[str],
    margin: float,
) -> pl.DataFrame:
    """Return a row per language, file of queries, contrast and measure.

    Of the win rates, an advantage of `margin` or more (a share) is what would matter: see `rule.decide`.

    A cell's answers to a query are averaged over its seeds. p is corrected (Holm) over all contrasts and measures of
    one language and file of queries; win rates among themselves, for they alone tell which is better.
    """
    if not contrasts:
        return pl.DataFrame(schema=CONTRASTS)
    names = {arm: cell.name for one in contrasts for cell in (one.arm, one.opponent) for arm in cell.arms}
    rows: list[dict[str, Any]] = []
    if comparisons is not None:
        rows += _preferences(contrasts, verdicts_between(comparisons, names, order), answers, order, margin)
    if answers is not None:
        for (lang, queries), part in averaged(answers, names).group_by("lang", "queries", maintain_order=True):
            rows += [{"lang": lang, "queries": queries} | row for row in _counts(contrasts, part)]
    rows += _losses(contrasts, arms)
    table = pl.DataFrame([{key: row.get(key) for key in CONTRASTS} for row in rows], schema=CONTRASTS)
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def _about(contrast: Contrast) -> dict[str, Any]:
    names = {"arm": contrast.arm.name, "opponent": contrast.opponent.name}
    return names | {"setting": contrast.setting, "value": contrast.value}


def _preferences(
    contrasts: Sequence[Contrast],
    comparisons: pl.DataFrame,
    answers: pl.DataFrame | None,
    order: Sequence[str],
    margin: float,
) -> Iterator[dict[str, Any]]:
    """Win rates of those contrasts that were judged."""
    queries = {} if answers is None else dict(answers.select("query_id", "queries").unique().iter_rows())
    of_files = comparisons.with_columns(
        genre=pl.lit(None, pl.String),
        queries=pl.col("query_id").replace_strict(queries, default=None, return_dtype=pl.String),
    )
    for (lang, name), part in of_files.group_by("lang", "queries", maintain_order=True):
        rates = {(row["arm"], row["opponent"]): row for row in win_rates(part.drop("queries"), order).to_dicts()}
        judged = [(one, rates[pair]) for one in contrasts if (pair := (one.arm.name, one.opponent.name)) in rates]
        for (one, rate), p in zip(judged, holm([rate["p"] for _, rate in judged]), strict=True):
            decision = decide(rate | {"p_holm": p}, margin)
            yield _about(one) | {
                **{"lang": lang, "queries": name, "measure": PREFERRED, "n": rate["verdicts"]},
                **{"of_arm": rate["rate"], "of_opponent": 1 - rate["rate"], "difference": rate["rate"] - 0.5},
                **{end: None if rate[end] is None else rate[end] - 0.5 for end in ("low", "high")},
                **{"p": rate["p"], "p_holm": p, "finding": decision.finding},
                **{"excluded": decision.excluded, "prompts_needed": decision.prompts_needed},
            }


def _counts(contrasts: Sequence[Contrast], part: pl.DataFrame) -> list[dict[str, Any]]:
    """Differences in everything counted, over the queries that both cells answered."""
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
    """−log p a token of the held-out triplets' answers, of arms that are asked for the same: the same triplets, with
    their reasoning or without, in the same tokens, under one seed. Nothing is tested: it is one figure an arm."""
    losses = {arm.name: _held_out_losses(arm) for arm in arms}
    asked = {arm.name: _conditions(arm) for arm in arms}
    for one in contrasts:
        same = [(a, b) for a in one.arm.arms for b in one.opponent.arms if asked[a] == asked[b]]
        for lang in LANGUAGES:
            both = [(losses[a][lang], losses[b][lang]) for a, b in same if lang in losses[a] and lang in losses[b]]
            if both:
                first, second = (mean(side) for side in zip(*both, strict=True))
                figures = {"of_arm": first, "of_opponent": second, "difference": first - second}
                yield _about(one) | figures | {"lang": lang, "measure": LOSS, "finding": "not tested"}


def _held_out_losses(arm: Arm) -> dict[str, float]:
    """By language, as the last validation found them."""
    losses = {lang: arm.last_metric(f"validation/loss/creative/{lang}/answer") for lang in LANGUAGES}
    return {lang: loss for lang, loss in losses.items() if loss is not None}


def _conditions(arm: Arm) -> str:
    """Return, as text, what two arms must share for their held-out losses to be comparable: the same triplets in the
    same tokens. Held-out general examples are left out: they differ where the general data are what is compared."""
    config, groups = arm.config(), arm.manifest().data.validation
    return json.dumps(
        [
            config.seed,
            config.supervision.with_reasoning,
            config.model.path,
            [[group.lang, group.examples, group.tokens] for group in groups if group.kind == "creative"],
        ]
    )
