"""Gather what was measured of a series' arms as responses: of preference, of automatic measures, of ratings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from coig.evaluation.findings.claims import EXCESS
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.intervals import FEWEST
from coig.statistics.noise import add_seeds
from coig.statistics.responses import Indices, Responses, estimate_responses

PREFERENCE, BY_JUDGES = "preference", "preference of judges, not calibrated"
RATED = "rating: "  # before the dimension's name
OBSERVATION = {  # arm: a cell; run: the arm of the cell, that is its seed; against: the arm it was compared with
    **dict.fromkeys(("lang", "query_id", "rater", "arm", "run", "against"), pl.String),
    "value": pl.Float64,
}


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
    """Return the measures of answers alone, which need no judgment; `margin`, a share, is that of `finished`."""
    return (
        Measure("contaminated", "answers in the other language", "write in it as seldom", True, False, EXCESS),
        Measure("finished", "answers that ended", "end as many answers", margin=margin),
        Measure("characters", "characters per answer", "write answers as long", False),
        Measure("copied", "share of an answer copied from training texts", "copy as little", rises=False),
        Measure("sameness", "words shared between prompts", "write as differently", rises=False),
    )


def preference_of(name: str, margin: float) -> Measure:
    """Return the measure of verdicts: by people if `name` is PREFERENCE, by model judges if it is BY_JUDGES.

    `margin` is the smallest advantage in win rate that matters, as a share.
    """
    by = " by judge models, not calibrated" if name == BY_JUDGES else ""
    return Measure(name, f"win rate over general data alone{by}", "are preferred as often", margin=margin)


def rating_of(dimension: str, margin: float) -> Measure:
    """Return the measure of a rated dimension; `margin` is in points of the scale."""
    return Measure(RATED + dimension, dimension, f"are rated as high in {dimension}", False, margin=margin)


@dataclass(frozen=True)
class Observed:
    """A measure's responses of one series.

    arms: the arms with creative data, by growing dose. levels: their responses, as logits for shares. means: the same
    as measured. differences: of the levels from general data alone, None without it; for preference the levels
    themselves. reference: the mean of general data alone, one half for preference. prompts: the number of prompts of
    each arm. raters: the number of raters, 1 for automatic measures.
    """

    arms: tuple[str, ...]
    levels: Responses
    means: Responses
    differences: Responses | None
    reference: float | None
    prompts: tuple[int, ...]
    raters: int

    def make_rising(self, measure: Measure) -> Responses:
        """Return the differences from general data alone, which must exist, with signs so that more is better."""
        assert self.differences is not None
        return self.differences if measure.rises else self.differences.mirror()


def observations(
    cells: Mapping[str, str],
    against: str | None,
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> Iterator[tuple[Measure, pl.DataFrame]]:
    """Yield each measure with its observations; columns as in OBSERVATION.

    First comes people's preference; then those of `automatic_measures` that have observations; then each rated
    dimension; last the preference of model judges, which nothing rests on. The two preferences come even without
    observations, but not without `judgments` and `against`.

    Args:
        cells: the name of each arm's cell, by the arm's name; other arms are left out.
        against: the cell that win rates are over, the opponent; None leaves preference out.
        margin: the smallest difference that matters, as a share: of win rates, of answers, of a rating scale's length.
    """
    if judgments is not None and against is not None:
        verdicts = _score_over(judgments.verdicts, cells, against)
        by_judge = pl.col("rater").is_in(list(judgments.judges))
        yield preference_of(PREFERENCE, margin), verdicts.filter(~by_judge)
    if answers is not None:
        named = _name_cells(answers.with_columns(run="arm", rater=pl.lit("")), cells)
        for measure in automatic_measures(margin):
            value = pl.col(measure.name).cast(pl.Float64).alias("value")
            known = named.with_columns(value).drop_nulls("value").select(list(OBSERVATION))
            if len(known):
                yield measure, known
    if judgments is not None:
        length = judgments.scale[1] - judgments.scale[0]
        rated = _name_cells(judgments.ratings.with_columns(run="arm"), cells)
        for (dimension,), part in rated.group_by("dimension", maintain_order=True):
            yield rating_of(str(dimension), margin * length), part.select(list(OBSERVATION))
        if against is not None:
            yield preference_of(BY_JUDGES, margin), verdicts.filter(by_judge)


def _name_cells(frame: pl.DataFrame, cells: Mapping[str, str]) -> pl.DataFrame:
    """Keep the rows whose `run`, an arm, belongs to a cell; set `arm` to the cell's name and `against` to null."""
    kept = frame.filter(pl.col("run").is_in(list(cells)))
    return kept.with_columns(arm=pl.col("run").replace(dict(cells)), against=pl.lit(None, pl.String))


def _score_over(verdicts: pl.DataFrame, cells: Mapping[str, str], opponent: str) -> pl.DataFrame:
    """Return the scores of all other cells over the cell `opponent`, a row per verdict; columns as in OBSERVATION."""
    about = ("lang", "query_id", "rater")
    sides = [
        verdicts.select(*about, run="arm", against="opponent", value="score"),
        verdicts.select(*about, run="opponent", against="arm", value=1 - pl.col("score")),
    ]
    both = pl.concat(sides).filter(pl.all_horizontal(pl.col("run", "against").is_in(list(cells))))
    named = both.with_columns(arm=pl.col("run").replace(dict(cells)), other=pl.col("against").replace(dict(cells)))
    return named.filter(pl.col("arm") != opponent, other=opponent).select(list(OBSERVATION))


def estimate(
    part: pl.DataFrame, measure: Measure, doses: Mapping[str, float], reference: str | None
) -> Observed | None:
    """Estimate the responses of the arms that have observations of at least FEWEST prompts.

    Return None if no arm with creative data has so many, or if the response of some arm has no variance.

    Args:
        part: the observations of one language, columns as in OBSERVATION.
        doses: the doses of the cells with creative data, growing.
        reference: the cell with general data alone; of preference it is the opponent, whose response is one half.
    """
    prompts = dict(part.group_by("arm", maintain_order=True).agg(pl.col("query_id").n_unique()).iter_rows())
    arms = [arm for arm in doses if prompts.get(arm, 0) >= FEWEST]
    own = measure.name not in (PREFERENCE, BY_JUDGES)
    with_reference = own and reference is not None and prompts.get(reference, 0) >= FEWEST
    names = [*arms, *([str(reference)] if with_reference else [])]
    if not arms or part.is_empty():
        return None
    means = estimate_means(part, names, [*(doses[arm] for arm in arms), *([np.inf] if with_reference else [])], measure)
    counts = [prompts[name] for name in names]
    scaled = means.logits(np.array(counts, dtype=np.float64)) if measure.is_share else means
    if not (np.diagonal(scaled.covariance.total) > 0).all():
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


def estimate_means(part: pl.DataFrame, names: Sequence[str], doses: Sequence[float], measure: Measure) -> Responses:
    """Return the mean of each named arm's observations, with the covariance of the means over prompts, raters, seeds.

    Seeds are left out if no arm has several; rows of other arms are ignored.

    Args:
        part: columns as in OBSERVATION; every named arm needs a row. doses: of the named arms.
    """
    kept = part.filter(pl.col("arm").is_in(list(names)))
    codes = number_levels(kept)
    arms = kept["arm"].replace_strict({name: index for index, name in enumerate(names)}, return_dtype=pl.Int64)
    observed = kept["value"].to_numpy(), arms.to_numpy(), codes["query_id"]
    means = estimate_responses(np.array(doses), *observed, codes["rater"])
    return add_seeds(means, *observed, codes["run"], codes.get("against"), measure.is_share)


def number_levels(part: pl.DataFrame) -> dict[str, Indices]:
    """Return for `query_id`, `rater`, `run` and `against` the number of each row's value, from 0, (N,).

    `against` is left out if it is null in every row.
    """
    names = ("query_id", "rater", "run", *(["against"] if part["against"].null_count() < len(part) else []))
    return {name: part[name].rank("dense").to_numpy().astype(np.intp) - 1 for name in names}
