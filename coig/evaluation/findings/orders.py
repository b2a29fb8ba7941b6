"""Tell whether the order of the ratios survives another setting, such as another learning rate, and another seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.cells import Cell, group_by_setting
from coig.evaluation.findings.responses import BY_JUDGES, PREFERENCE, observations
from coig.evaluation.findings.series import RATIO
from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.intervals import FEWEST, Floats, bootstrap_weights, percentile_interval
from coig.statistics.ranks import kendall_tau
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES

FEWEST_RATIOS = 3
SEEDS = "seed"
ORDERS: dict[str, Any] = {
    **dict.fromkeys(("lang", "measure", "across"), pl.String),  # across: seed, or the settings that differ
    **dict.fromkeys(("ratios", "comparisons"), pl.Int64),
    **dict.fromkeys(("tau", "low", "high"), pl.Float64),  # mean of Kendall's τ over the comparisons, 95 % over prompts
    "finding": pl.String,
}


@dataclass(frozen=True)
class Grid:
    """The arms of a study by setting, seed and ratio.

    `settings` has, for each combination of the settings besides the ratio, the arms by (ratio, seed); combinations with
    fewer than FEWEST_RATIOS ratios are left out. `varied` names these settings. `ratios` are those that every setting
    and seed has, `seeds` those that every setting has.
    """

    varied: str
    settings: Mapping[str, Mapping[tuple[str, int], str]]
    ratios: tuple[str, ...]
    seeds: tuple[int, ...]

    def names(self, setting: str, seed: int) -> list[str]:
        """Return the arms of one setting and seed, in the order of the ratios."""
        return [self.settings[setting][ratio, seed] for ratio in self.ratios]


def order_table(
    cells: Sequence[Cell],
    arms: Sequence[Arm],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    margin: float,
) -> pl.DataFrame:
    """Return a row for each language and measure across settings, and one across seeds; columns as in ORDERS.

    An arm's preference is its win rate over general data alone of the same setting, which itself counts as one half.
    Fewer than FEWEST_RATIOS ratios give no rows, nor does a measure with fewer than FEWEST prompts of some arm, or in
    which all arms are equal.

    Args:
        answers: the frame of `measure_answers`; None without answers.
        margin: as in `observations`.
    """
    rows = []
    grid = _make_grid(cells, arms)
    if len(grid.ratios) >= FEWEST_RATIOS and (len(grid.settings) > 1 or len(grid.seeds) > 1):
        for measure, part in _observe(cells, answers, judgments, margin):
            for lang in LANGUAGES:
                rates = _resample(part.filter(lang=lang), grid)
                about = {"lang": lang, "measure": measure, "ratios": len(grid.ratios)}
                compared = _compare(rates, grid) if rates else ()
                rows += [about | row for row in compared if not np.isnan(row["tau"])]  # NaN: all arms are equal
    rows.sort(key=lambda row: LANGUAGES.index(row["lang"]))
    return pl.DataFrame(rows, schema=ORDERS)


def _make_grid(cells: Sequence[Cell], arms: Sequence[Arm]) -> Grid:
    """Arrange a study's arms by setting, seed and ratio; the grid is empty without `arms`, those trained here."""
    seeds = {arm.name: arm.manifest().seed for arm in arms}
    groups = group_by_setting(cells, RATIO) if arms else {}
    groups = {name: group for name, group in groups.items() if len(group) >= FEWEST_RATIOS}
    settings = {
        setting: {(cell.values[RATIO], seeds[arm]): arm for cell in group for arm in cell.arms}
        for setting, group in groups.items()
    }
    shared = set.intersection(*(set(own) for own in settings.values())) if settings else set()
    every = tuple(sorted({seed for _, seed in shared}))
    kept = [cell for group in groups.values() for cell in group]
    ratios = dict.fromkeys(cell.values[RATIO] for cell in kept)
    whole = tuple(ratio for ratio in ratios if every and all((ratio, seed) in shared for seed in every))
    names = dict.fromkeys(name for cell in kept for name in cell.without(RATIO))
    varied = [name for name in names if len({cell.values.get(name) for cell in kept}) > 1]
    return Grid(", ".join(varied), settings, whole, every)


def _observe(
    cells: Sequence[Cell], answers: pl.DataFrame | None, judgments: Judgments | None, margin: float
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (name, observations) of each measure that can name a best arm, higher values being better.

    Columns are lang, query_id, rater, run (the arm) and value. For preference, general data alone has values of ½.
    """
    everything = {arm: cell.name for cell in cells for arm in cell.arms}
    preferences: dict[str, list[pl.DataFrame]] = {}
    for reference in (cell for cell in cells if cell.contestant.is_general):
        own = [cell for cell in cells if cell.without(RATIO) == reference.without(RATIO)]
        belonging = {arm: cell.name for cell in own for arm in cell.arms}
        for measure, part in observations(belonging, reference.name, None, judgments, margin):
            if measure.name in (PREFERENCE, BY_JUDGES) and not part.is_empty():
                half = part.select("lang", "query_id", "rater", run="against", value=pl.lit(0.5)).unique(
                    maintain_order=True
                )
                both = [part.select(half.columns), half]
                preferences.setdefault(measure.name, []).append(pl.concat(both))
    yield from ((name, pl.concat(parts)) for name, parts in preferences.items())
    for measure, part in observations(everything, None, answers, judgments, margin):
        if measure.margin is not None:
            value = pl.col("value") if measure.rises else -pl.col("value")
            yield measure.name, part.select("lang", "query_id", "rater", "run", value=value)


def _resample(part: pl.DataFrame, grid: Grid) -> dict[str, Floats] | None:
    """Return each arm's mean by name, (1 + resamples,): as measured, then over resampled prompts.

    Return None if an arm of the grid has fewer than FEWEST prompts.
    """
    names = [name for setting in grid.settings for seed in grid.seeds for name in grid.names(setting, seed)]
    prompts = dict(part.group_by("run", maintain_order=True).agg(pl.col("query_id").n_unique()).iter_rows())
    if any(prompts.get(name, 0) < FEWEST for name in names):
        return None
    kept = part.filter(pl.col("run").is_in(names))
    queries = np.unique(kept["query_id"].to_numpy(), return_inverse=True)[1]
    columns = kept["run"].replace_strict({name: place for place, name in enumerate(names)}, return_dtype=pl.Int64)
    sums, counts = np.zeros((2, int(queries.max()) + 1, len(names)))
    np.add.at(sums, (queries, columns.to_numpy()), kept["value"].to_numpy())
    np.add.at(counts, (queries, columns.to_numpy()), 1)
    weights = np.concatenate([np.ones((1, len(sums))), bootstrap_weights(len(sums))])
    with np.errstate(invalid="ignore"):
        return dict(zip(names, ((weights @ sums) / (weights @ counts)).T, strict=True))


def _compare(rates: Mapping[str, Floats], grid: Grid) -> Iterator[dict[str, Any]]:
    """Yield the columns of ORDERS across settings, if there are several, and across seeds, if there are several."""
    single = {
        (setting, seed): np.stack([rates[name] for name in grid.names(setting, seed)], axis=-1)
        for setting in grid.settings
        for seed in grid.seeds
    }
    across_seeds = [
        kendall_tau(single[setting, one], single[setting, other])
        for setting in grid.settings
        for one, other in combinations(grid.seeds, 2)
    ]
    across_settings = [
        kendall_tau(single[one, seed], single[other, seed])
        for one, other in combinations(grid.settings, 2)
        for seed in grid.seeds
    ]
    noise = np.mean(across_seeds, axis=0) if across_seeds else None
    if across_settings:
        yield _row(grid.varied, across_settings, noise)
    if across_seeds:
        yield _row(SEEDS, across_seeds, None)


def _row(across: str, taus: Sequence[Floats], noise: Floats | None) -> dict[str, Any]:
    """Return the columns of ORDERS for one kind of comparison.

    Args:
        taus: of each comparison, (1 + resamples,). noise: the mean across seeds, (1 + resamples,); None if unknown.
    """
    mean = np.mean(taus, axis=0)
    low, high = _limits(mean)
    found = {"across": across, "comparisons": len(taus), "tau": float(mean[0]), "low": low, "high": high}
    if noise is not None and _limits(noise - mean)[0] > 0:
        return found | {"finding": "the order changes more than between seeds"}
    if low > 0:
        return found | {"finding": "the order is kept beyond chance"}
    return found | {"finding": "the order is turned" if high < 0 else "not shown that the order is kept"}


def _limits(values: Floats) -> tuple[float, float]:
    """Return the 95 % limits of all but the first of `values`, (1 + resamples,), which is the value as measured."""
    low, high = percentile_interval(values[1:, None])
    return float(low[0]), float(high[0])
