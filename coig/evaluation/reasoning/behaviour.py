"""Reasoning behaviour: what the steps of a chain do, and where in the chain they do it.

Everything here is about the chains there are: an arm whose answers have no reasoning is in no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.evaluation.reasoning.cues import FALSE_FRIEND, NORMAL, PATTERNS
from coig.evaluation.reasoning.steps import steps
from coig.records.label import BEHAVIOURS, Behaviour, Label
from coig.statistics.agreement import cohen_kappa
from coig.statistics.intervals import FEWEST, RESAMPLES, bootstrap_weights, percentile_interval

DECILES = 10
STEPS = {
    **dict.fromkeys(("arm", "lang", "query_id"), pl.String),
    "step": pl.Int64,  # from 0
    "position": pl.Float64,  # of the step in its chain, 0 the first and 1 the last
    "decile": pl.Int64,  # 0 to 9
    "behaviour": pl.String,
}
FIGURES: dict[str, Any] = {"count": pl.Int64, **dict.fromkeys(("share", "low", "high"), pl.Float64)}
BEHAVIOUR: dict[str, Any] = {
    **{"lang": pl.String, "arm": pl.String, "decile": pl.Int64, "behaviour": pl.String},
    **FIGURES,
    **dict.fromkeys(("steps", "prompts"), pl.Int64),
}
BEHAVIOUR_SHARES = {name: kind for name, kind in BEHAVIOUR.items() if name != "decile"}
TRANSITIONS: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm", "from", "to"), pl.String),
    **FIGURES,
    **dict.fromkeys(("transitions", "prompts"), pl.Int64),
}
LABELS = {"arm": pl.String, "query_id": pl.String, "step": pl.Int64, "label": pl.String, "labeller": pl.String}
LABEL_AGREEMENT = {
    "lang": pl.String,
    "labeller": pl.String,
    "labels": pl.Int64,
    "equal": pl.Float64,
    "kappa": pl.Float64,
    "unmatched": pl.Int64,
}


def classify(step: str) -> Behaviour:
    """Tell what a step does, by the cues of `cues.py`."""
    behaviour: Behaviour = pl.select(behaviour_of(pl.lit(step))).item()
    return behaviour


def behaviour_of(step: pl.Expr) -> pl.Expr:
    """The first behaviour in the table of which the step holds a cue, else normal writing."""
    told = step.str.replace_all(FALSE_FRIEND, "○")
    return pl.coalesce(
        *(pl.when(told.str.contains(cues)).then(pl.lit(behaviour)) for behaviour, cues in PATTERNS.items()),
        pl.lit(NORMAL),
    )


def labelled_steps(answers: pl.DataFrame) -> pl.DataFrame:
    """A row per step of the answers' reasoning, with the columns of STEPS; an answer without reasoning has none.

    A chain's only step is at position 0.
    """
    texts = [steps(reasoning or "") for reasoning in answers["reasoning"]]
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


def by_position(steps: pl.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """Shares of the behaviours by position: a row per (lang, arm, decile, behaviour) where the arm has steps.

    `count` of the cell's `steps`, which are of so many `prompts`; the `share`; `low` and `high`, 95 % limits from
    drawing the language's prompts with replacement, the same ones for all arms (percentile bootstrap, Efron &
    Tibshirani 1993).
    """
    return _shares(steps, BEHAVIOUR, "behaviour", "steps", resamples, seed)


def shares(steps: pl.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """`by_position` over the whole chains: a row per (lang, arm, behaviour)."""
    return _shares(steps, BEHAVIOUR_SHARES, "behaviour", "steps", resamples, seed)


def transitions(steps: pl.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pl.DataFrame:
    """Count what follows what: a row per (lang, arm, from, to) with `count` of the `transitions` out of `from`.

    Shares and limits as in `by_position`; a chain's last step leads nowhere.
    """
    following = pl.col("behaviour").shift(-1).over("lang", "arm", "query_id", order_by="step")
    moves = steps.with_columns(to=following).drop_nulls("to").rename({"behaviour": "from"})
    return _shares(moves, TRANSITIONS, "to", "transitions", resamples, seed)


def _shares(
    events: pl.DataFrame, schema: dict[str, Any], outcome: str, total: str, resamples: int, seed: int
) -> pl.DataFrame:
    """Each outcome's share of a cell's events, language by language, arms in the order in which they come."""
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
    cells = _cells(events, cell)
    counts = _counts(events, cells, cell, outcome)
    drawn = bootstrap_weights(len(counts), resamples, seed) @ counts.reshape(len(counts), -1)
    drawn = drawn.reshape(resamples, *counts.shape[1:])
    with np.errstate(invalid="ignore"):  # a sample without any of a cell's prompts
        low, high = percentile_interval(drawn / drawn.sum(axis=2, keepdims=True))
    sums = counts.sum(axis=0)
    cells = cells.with_columns(
        pl.lit(list(BEHAVIOURS)).alias(outcome),
        pl.Series(total, sums.sum(axis=1)),
        pl.Series("prompts", counts.any(axis=2).sum(axis=0)),
    ).explode(outcome)
    known = pl.when(pl.col("prompts") >= FEWEST)
    return cells.with_columns(
        pl.Series("count", sums.ravel()),
        pl.Series("share", (sums / sums.sum(axis=1, keepdims=True)).ravel()),
        low=known.then(pl.Series(low.ravel()).fill_nan(None)),
        high=known.then(pl.Series(high.ravel()).fill_nan(None)),
    )


def _cells(events: pl.DataFrame, cell: Sequence[str]) -> pl.DataFrame:
    """The cells that have events: arms as they come, deciles ascending, behaviours as the paper has them."""
    arms = events["arm"].unique(maintain_order=True).to_list()
    order = {"arm": arms, "decile": list(range(DECILES)), "from": list(BEHAVIOURS)}
    ranks = [pl.col(name).replace_strict(order[name], range(len(order[name]))) for name in cell]
    return events.select("lang", *cell).unique().sort(ranks)


def _counts(events: pl.DataFrame, cells: pl.DataFrame, cell: Sequence[str], outcome: str) -> NDArray[np.float64]:
    """(prompts, cells, behaviours) how many events there are; prompts in the order of their ids."""
    placed = events.join(cells.with_row_index("cell"), on=["lang", *cell], how="left").select(
        prompt=pl.col("query_id").rank("dense").cast(pl.Int64) - 1,
        cell=pl.col("cell").cast(pl.Int64),
        outcome=pl.col(outcome).replace_strict(BEHAVIOURS, range(len(BEHAVIOURS)), return_dtype=pl.Int64),
    )
    shape = (events["query_id"].n_unique(), len(cells), len(BEHAVIOURS))
    flat = np.ravel_multi_index(tuple(placed[name].to_numpy() for name in placed.columns), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


def label_agreement(steps: pl.DataFrame, labels: Sequence[Label]) -> pl.DataFrame:
    """Measure how far the rule and each labeller agree, by language, labellers in the order of the labels.

    `labels` of steps that there are, with the share that is `equal` and Cohen's `kappa` (null where both know one
    behaviour only); `unmatched` labels of other steps.
    """
    place = ["arm", "query_id", "step"]
    said = pl.DataFrame([label.model_dump() for label in labels], schema=LABELS)
    rows = []
    for (lang,), part in steps.partition_by("lang", as_dict=True, maintain_order=True).items():
        own = said.join(part, on="query_id", how="semi", maintain_order="left")
        beside = own.join(part.select(*place, "behaviour"), on=place, how="left", maintain_order="left")
        for (labeller,), theirs in beside.partition_by("labeller", as_dict=True, maintain_order=True).items():
            unmatched = theirs["behaviour"].null_count()
            rows.append((lang, labeller, *_agreement(theirs.drop_nulls("behaviour")), unmatched))
    return pl.DataFrame(rows, schema=LABEL_AGREEMENT, orient="row")


def _agreement(both: pl.DataFrame) -> tuple[int, float | None, float | None]:
    """Return the number of labels, the share that is equal, and κ."""
    counts = np.zeros((len(BEHAVIOURS), len(BEHAVIOURS)), dtype=np.int64)
    for label, behaviour in both.select("label", "behaviour").iter_rows():
        counts[BEHAVIOURS.index(label), BEHAVIOURS.index(behaviour)] += 1
    total = len(both)
    return total, int(np.trace(counts)) / total if total else None, cohen_kappa(counts)
