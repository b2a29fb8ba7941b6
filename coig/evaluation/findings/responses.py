"""Gather what was measured of a series' arms as responses: of preference, of automatic measures, of ratings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.cells import average_over_seeds, verdicts_between
from coig.evaluation.findings.claims import EXCESS
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.intervals import FEWEST
from coig.statistics.responses import Responses, estimate_responses

PREFERENCE, BY_JUDGES = "preference", "preference of judges, not calibrated"
RATED = "rating: "  # before the dimension's name
OBSERVATION = {**dict.fromkeys(("lang", "query_id", "rater", "arm"), pl.String), "value": pl.Float64}


@dataclass(frozen=True)
class Measure:
    """Something measured of every answer that may depend on the dose.

    `label` heads its axis. `equal` says in words that an arm equals general data alone. `rises` is False where less is
    better. `is_share`: values are 0–1. `margin`: the difference from the best arm that does not matter, None where no
    value is the best.
    """

    name: str
    label: str
    equal: str
    is_share: bool = True
    rises: bool = True
    margin: float | None = None


def automatic_measures(margin: float) -> tuple[Measure, ...]:
    """Return the measures of answers that need no judgment; `margin` is that of the share of ended answers."""
    return (
        Measure("contaminated", "answers in the other language", "write in it as seldom", True, False, EXCESS),
        Measure("finished", "answers that ended", "end as many answers", margin=margin),
        Measure("characters", "characters per answer", "write answers as long", False),
    )


def preference_of(name: str, margin: float) -> Measure:
    """Return the measure of verdicts; `margin` is the smallest advantage in win rate that matters, a share."""
    by = " by judge models" if name == BY_JUDGES else ""
    return Measure(name, f"win rate over general data alone{by}", "are preferred as often", margin=margin)


def rating_of(dimension: str, margin: float) -> Measure:
    """Return the measure of a rated dimension; `margin` is in points of the scale."""
    return Measure(RATED + dimension, dimension, f"are rated as high in {dimension}", False, margin=margin)


@dataclass(frozen=True)
class Observed:
    """A measure's responses of one series.

    arms: the arms with creative data, by growing dose. levels: their responses, as logits for shares. means: the same
    as measured. differences: of the levels from general data alone, None without it. reference: that arm's own mean.
    prompts: numbers of prompts by arm.
    """

    arms: tuple[str, ...]
    levels: Responses
    means: Responses
    differences: Responses | None
    reference: float | None
    prompts: tuple[int, ...]
    raters: int


def observations(
    cells: Mapping[str, str],
    order: Sequence[str],
    against: str | None,
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> Iterator[tuple[Measure, pl.DataFrame]]:
    """Yield each measure with its observations, columns as in OBSERVATION; preference first.

    Args:
        cells: the cell of each arm. order: the cells' names in order.
        against: the cell over which the win rates are; None leaves preference out.
        margin: the smallest advantage in win rate that matters, as a share; for ratings, of the scale's length.
    """
    if judgments is not None and against is not None:
        verdicts = _over(verdicts_between(judgments.verdicts, cells, order), against)
        by_judge = pl.col("rater").is_in(list(judgments.judges))
        for name, part in ((PREFERENCE, verdicts.filter(~by_judge)), (BY_JUDGES, verdicts.filter(by_judge))):
            yield preference_of(name, margin), part
    if answers is not None:
        averaged = average_over_seeds(answers, cells).with_columns(rater=pl.lit(""))
        for measure in automatic_measures(margin):
            value = pl.col(measure.name).cast(pl.Float64).alias("value")
            yield measure, averaged.select("lang", "query_id", "rater", "arm", value).drop_nulls("value")
    if judgments is not None:
        length = judgments.scale[1] - judgments.scale[0]
        ratings = judgments.ratings.filter(pl.col("arm").is_in(list(cells)))
        named = ratings.with_columns(pl.col("arm").replace(dict(cells)))
        for (dimension,), part in named.group_by("dimension", maintain_order=True):
            yield rating_of(str(dimension), margin * length), part.select(list(OBSERVATION))


def _over(verdicts: pl.DataFrame, opponent: str) -> pl.DataFrame:
    """Return the scores of all cells over one, columns as in OBSERVATION."""
    first = verdicts.filter(opponent=opponent).with_columns(value="score")
    second = verdicts.filter(arm=opponent).with_columns(arm="opponent", value=1 - pl.col("score"))
    return pl.concat([part.select(list(OBSERVATION)) for part in (first, second)])


def estimate(
    part: pl.DataFrame, measure: Measure, doses: Mapping[str, float], reference: str | None
) -> Observed | None:
    """Estimate the responses of the arms that have observations of at least FEWEST prompts.

    None if there is no such arm, or if the response of one has no variance.

    Args:
        part: the observations of one language, columns as in OBSERVATION.
        doses: the doses of the cells with creative data, growing.
        reference: the cell with general data alone; of preference it is the opponent, whose response is one half.
    """
    prompts = dict(part.group_by("arm").agg(pl.col("query_id").n_unique()).iter_rows())
    arms = [arm for arm in doses if prompts.get(arm, 0) >= FEWEST]
    own = measure.name not in (PREFERENCE, BY_JUDGES)
    with_reference = own and reference is not None and prompts.get(reference, 0) >= FEWEST
    names = [*arms, *([str(reference)] if with_reference else [])]
    if not arms or part.is_empty():
        return None
    means = respond(part, names, [*(doses[arm] for arm in arms), *([np.inf] if with_reference else [])])
    counts = [prompts[name] for name in names]
    scaled = means.logits(np.array(counts, dtype=np.float64)) if measure.is_share else means
    if not (np.diagonal(scaled.covariance.of_prompts) > 0).all():
        return None
    levels = scaled.of_first(len(arms))
    differences = None if own else levels
    return Observed(
        arms=tuple(arms),
        levels=levels,
        means=means.of_first(len(arms)),
        differences=scaled.above(len(arms)) if with_reference else differences,
        reference=float(means.values[-1]) if with_reference else None if own else 0.5,
        prompts=tuple(counts[: len(arms)]),
        raters=means.covariance.raters,
    )


def respond(part: pl.DataFrame, names: Sequence[str], doses: Sequence[float]) -> Responses:
    """Return the means of the named arms over their observations, columns as in OBSERVATION; every arm needs one."""
    kept = part.filter(pl.col("arm").is_in(list(names)))
    place = {name: index for index, name in enumerate(names)}
    codes: dict[str, Any] = {
        key: np.unique(kept[key].to_numpy(), return_inverse=True)[1] for key in ("query_id", "rater")
    }
    arms = kept["arm"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    return estimate_responses(np.array(doses), kept["value"].to_numpy(), arms, codes["query_id"], codes["rater"])
