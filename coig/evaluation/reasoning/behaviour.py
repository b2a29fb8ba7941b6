"""Classify the steps of reasoning by behaviour, and compute how often each occurs where in the chain.

An arm whose answers have no reasoning is in none of these tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.evaluation.reasoning.cues import FALSE_FRIEND, NORMAL, PATTERNS
from coig.records.label import BEHAVIOURS, Behaviour
from coig.statistics.intervals import FEWEST, RESAMPLES, bootstrap_weights, share_interval
from coig.text.reasoning_steps import split_steps

DECILES = 10
STEPS = {
    **dict.fromkeys(("arm", "lang", "query_id"), pl.String),
    "step": pl.Int64,  # number of the step in its chain, from 0
    "position": pl.Float64,  # in the chain, from 0 (first step) to 1 (last)
    "decile": pl.Int64,  # 0 to 9
    "behaviour": pl.String,
}
FIGURES: dict[str, Any] = {"count": pl.Int64, **dict.fromkeys(("share", "low", "high"), pl.Float64)}
BEHAVIOUR: dict[str, Any] = {
    "lang": pl.String,
    "arm": pl.String,
    "decile": pl.Int64,
    "behaviour": pl.String,
    **FIGURES,
    **dict.fromkeys(("steps", "prompts"), pl.Int64),
}
BEHAVIOUR_SHARES = {name: kind for name, kind in BEHAVIOUR.items() if name != "decile"}
TRANSITIONS: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm", "from", "to"), pl.String),
    **FIGURES,
    **dict.fromkeys(("transitions", "prompts"), pl.Int64),
}


def classify(step: str) -> Behaviour:
    """Return the behaviour of a step of reasoning, by the rule of `cues.py`."""
    behaviour: Behaviour = pl.select(behaviour_of(pl.lit(step))).item()
    return behaviour


def behaviour_of(step: pl.Expr) -> pl.Expr:
    """Return an expression: the first behaviour in PATTERNS of which a step has a cue, normal writing without any."""
    cleaned = step.str.replace_all(FALSE_FRIEND, "○")
    return pl.coalesce(
        *(pl.when(cleaned.str.contains(cues)).then(pl.lit(behaviour)) for behaviour, cues in PATTERNS.items()),
        pl.lit(NORMAL),
    )


def label_steps(answers: pl.DataFrame) -> pl.DataFrame:
    """Split the answers' reasoning into steps and classify each; a row per step with the columns of STEPS.

    The only step of a chain is at position 0. Answers without reasoning give no rows.
    """
    texts = [split_steps(reasoning or "") for reasoning in answers["reasoning"]]
    count = pl.col("text").list.len().cast(pl.Int64)
    return (
        answers.select("arm", "lang", "query_id", text=pl.Series(texts, dtype=pl.List(pl.String)))
        .filter(count > 0)
        .with_columns(step=pl.int_ranges(count), last=(count - 1).clip(lower_bound=1))
        .explode("text", "step")
        .with_columns(
            position=pl.col("step") / pl.col("last"),
            decile=(DECILES * pl.col("step") // pl.col("last")).clip(upper_bound=DECILES - 1),
            behaviour=behaviour_of(pl.col("text")),
        )
        .select(pl.col(name).cast(kind) for name, kind in STEPS.items())
    )


def compute_shares_by_position(steps: pl.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """Compute each behaviour's share of the steps in each decile of the chain; columns as in BEHAVIOUR.

    A cell is a (lang, arm, decile) that has steps; it has a row for every behaviour. `steps` and `prompts` count the
    cell's steps and prompts, `count` the steps with this behaviour; `share` is `count` / `steps`. `low` and `high` are
    95 % limits by percentile bootstrap over the language's prompts, with the same resamples for all arms (Efron &
    Tibshirani 1993); Wilson's, with a trial for each prompt, where all resamples have the same share, such as 0. They
    are null below FEWEST prompts of the cell.

    Args:
        steps: the frame of `label_steps`.
    """
    return _shares(steps, BEHAVIOUR, "behaviour", "steps", resamples, seed)


def compute_shares(steps: pl.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """Compute each behaviour's share of all steps of an arm; as `compute_shares_by_position` without deciles."""
    return _shares(steps, BEHAVIOUR_SHARES, "behaviour", "steps", resamples, seed)


def compute_transitions(steps: pl.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """Compute, for the steps after each behaviour `from`, the share of each behaviour `to`; columns as in TRANSITIONS.

    `transitions` counts the steps `from` that have a next step, `count` those followed by `to`. Limits as in
    `compute_shares_by_position`.
    """
    following = pl.col("behaviour").shift(-1).over("lang", "arm", "query_id", order_by="step")
    moves = steps.with_columns(to=following).drop_nulls("to").rename({"behaviour": "from"})
    return _shares(moves, TRANSITIONS, "to", "transitions", resamples, seed)


def _shares(
    events: pl.DataFrame, schema: dict[str, Any], outcome: str, total: str, resamples: int, seed: int
) -> pl.DataFrame:
    """Compute each outcome's share of the events in its cell, language by language; columns as in `schema`.

    Args:
        events: steps or transitions.
        schema: of the result; its columns between `lang` and `outcome` define a cell.
        outcome: the column that holds a behaviour.
        total: name for the column with a cell's number of events.
    """
    names = list(schema)
    cell = names[names.index("lang") + 1 : names.index(outcome)]
    tables = [
        _shares_of_language(part, cell, outcome, total, resamples, seed).select(
            pl.col(name).cast(kind) for name, kind in schema.items()
        )
        for part in events.partition_by("lang", maintain_order=True)
    ]
    return pl.concat([pl.DataFrame(schema=schema), *tables])


def _shares_of_language(
    events: pl.DataFrame, cell: Sequence[str], outcome: str, total: str, resamples: int, seed: int
) -> pl.DataFrame:
    """Return the rows of `_shares` for the events of one language; the columns `cell` together define a cell."""
    cells = _cells(events, cell)
    counts = _counts(events, cells, cell, outcome)
    drawn = bootstrap_weights(len(counts), resamples, seed) @ counts.reshape(len(counts), -1)
    drawn = drawn.reshape(resamples, *counts.shape[1:])
    sums = counts.sum(axis=0)
    shares = sums / sums.sum(axis=1, keepdims=True)
    prompts = counts.any(axis=2).sum(axis=0)
    with np.errstate(invalid="ignore"):  # a resample may hold none of a cell's prompts
        resampled = drawn / drawn.sum(axis=2, keepdims=True)
    low, high = share_interval(resampled, shares, np.broadcast_to(prompts[:, None], shares.shape))
    cells = cells.with_columns(
        pl.lit(list(BEHAVIOURS)).alias(outcome),
        pl.Series(total, sums.sum(axis=1)),
        pl.Series("prompts", prompts),
    ).explode(outcome)
    known = pl.when(pl.col("prompts") >= FEWEST)
    return cells.with_columns(
        pl.Series("count", sums.ravel()),
        pl.Series("share", shares.ravel()),
        low=known.then(pl.Series(low.ravel()).fill_nan(None)),
        high=known.then(pl.Series(high.ravel()).fill_nan(None)),
    )


def _cells(events: pl.DataFrame, cell: Sequence[str]) -> pl.DataFrame:
    """Return the distinct values of `lang` and the columns `cell`, a row each, sorted.

    Arms are sorted by first appearance, deciles ascending, behaviours as in BEHAVIOURS.
    """
    arms = events["arm"].unique(maintain_order=True).to_list()
    order = {"arm": arms, "decile": list(range(DECILES)), "from": list(BEHAVIOURS)}
    ranks = [pl.col(name).replace_strict(order[name], range(len(order[name]))) for name in cell]
    return events.select("lang", *cell).unique().sort(ranks)


def _counts(events: pl.DataFrame, cells: pl.DataFrame, cell: Sequence[str], outcome: str) -> NDArray[np.float64]:
    """Count the events of each prompt in each cell by the behaviour in `outcome`, (prompts, cells, behaviours).

    Prompts are sorted by id, cells as in `cells`, behaviours as in BEHAVIOURS.
    """
    placed = events.join(cells.with_row_index("cell"), on=["lang", *cell], how="left", maintain_order="left").select(
        prompt=pl.col("query_id").rank("dense").cast(pl.Int64) - 1,
        cell=pl.col("cell").cast(pl.Int64),
        outcome=pl.col(outcome).replace_strict(BEHAVIOURS, range(len(BEHAVIOURS)), return_dtype=pl.Int64),
    )
    shape = (events["query_id"].n_unique(), len(cells), len(BEHAVIOURS))
    flat = np.ravel_multi_index(tuple(placed[name].to_numpy() for name in placed.columns), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
