"""Who wins against whom, how often, and how sure that is.

A verdict compares two arms' answers to one prompt, by one rater. A rate is (W + ½T) / N. Two intervals stand beside
it. *These raters, new prompts*: the verdicts on one prompt hang together, so prompts are resampled whole. *New raters
too*: those of one rater hang together as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.statistics.clustered import Verdicts, new_raters
from coig.statistics.intervals import (
    FEWEST,
    RESAMPLES,
    Z80,
    Z95,
    Floats,
    bootstrap_weights,
    holm,
    percentile_interval,
    sign_flip_p,
    wilson_interval,
)

SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("lang", "genre", "arm", "opponent"), pl.String),
    **dict.fromkeys(("wins", "ties", "losses", "verdicts", "prompts"), pl.Int64),
    **dict.fromkeys(("rate", "low", "high", "low_raters", "high_raters", "p", "p_holm", "p_raters", "mde"), pl.Float64),
    **dict.fromkeys(("without_rater_low", "without_rater_high", "clean_rate"), pl.Float64),
    "clean_verdicts": pl.Int64,
}


def win_rates(
    comparisons: pl.DataFrame, arms: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> pl.DataFrame:
    """Every arm against every other, by language, over all genres (null) and genre by genre; `arms` in order.

    `p` tests a rate of one half, paired by prompt; `p_holm` corrects it for the pairs of one language, and for those of
    all its genres where a genre is given; `p_raters` takes raters as drawn at random too. `mde` is the difference from
    one half that would be found 4 times in 5. Null: cannot be told; for `clean_…` see `with_clean_rates`.
    """
    rows = []
    for (lang,), part in comparisons.group_by("lang", maintain_order=True):
        whole = list(_rows(part, arms, seed, resamples))
        genres = part.drop_nulls("genre").partition_by("genre", maintain_order=True, as_dict=True)
        single = [
            row | {"genre": name}
            for (name,), rest in sorted(genres.items(), key=lambda item: str(item[0]))
            for row in _rows(rest, arms, seed, resamples)
        ]
        for family in (whole, single):
            for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
                rows += [both | {"lang": lang} for both in _both_orders(row | {"p_holm": p})]
    return pl.DataFrame([{key: row.get(key) for key in SCHEMA} for row in rows], schema=SCHEMA).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )


def with_clean_rates(rates: pl.DataFrame, comparisons: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """`rates` with the rate (`clean_rate`) and number (`clean_verdicts`) of the verdicts between two answers that are
    both in the query's own language alone; verdicts on answers that are not there do not count."""
    clean = answers.filter(~pl.col("contaminated_any")).select("query_id", "arm")
    both = comparisons.join(clean, on=["query_id", "arm"], how="semi").join(
        clean.rename({"arm": "opponent"}), on=["query_id", "opponent"], how="semi"
    )
    turned = both.with_columns(arm="opponent", opponent="arm", score=1 - pl.col("score"))
    ordered = pl.concat([both, turned.select(both.columns)])
    pair = ["lang", "genre", "arm", "opponent"]
    each = pl.concat([ordered.drop_nulls("genre"), ordered.with_columns(genre=pl.lit(None, pl.String))])
    counted = each.group_by(pair).agg(clean_rate=pl.col("score").mean(), clean_verdicts=pl.len().cast(pl.Int64))
    known = rates.drop("clean_rate", "clean_verdicts")
    return known.join(counted, on=pair, how="left", nulls_equal=True, maintain_order="left")


def verdicts_by_pair(comparisons: pl.DataFrame, arms: Sequence[str]) -> dict[tuple[str, str], Verdicts]:
    """Return the verdicts on every pair of `arms` that was compared, in the arms' order."""
    scores = comparisons["score"].to_numpy()
    prompts, raters = (comparisons[key].cast(pl.Categorical).to_physical().to_numpy() for key in ("query_id", "rater"))
    first, second = (_places(comparisons[key], arms) for key in ("arm", "opponent"))
    pairs = {}
    for (place, arm), (other, opponent) in combinations(enumerate(arms), 2):
        rows = (first == place) & (second == other)
        if rows.any():
            dense = [np.unique(codes[rows], return_inverse=True)[1] for codes in (prompts, raters)]
            pairs[arm, opponent] = Verdicts(scores[rows], *dense)
    return pairs


def _places(names: pl.Series, arms: Sequence[str]) -> NDArray[np.int64]:
    """Return (rows,) each name's place among `arms`, −1 for another name."""
    return names.replace_strict(arms, range(len(arms)), default=-1, return_dtype=pl.Int64).to_numpy()


def _rows(comparisons: pl.DataFrame, arms: Sequence[str], seed: int, resamples: int) -> Iterator[dict[str, Any]]:
    """A row per pair, in one order of its arms."""
    pairs = verdicts_by_pair(comparisons, arms)
    lows, highs = _prompt_intervals(comparisons, list(pairs), seed, resamples)
    for (pair, verdicts), low, high in zip(pairs.items(), lows, highs, strict=True):
        halves = verdicts.by_prompt()
        low_raters, high_raters, p_raters = new_raters(verdicts)
        without = _without_a_rater(verdicts)
        prompts = len(halves)
        if low == high:  # all resamples are alike: all won, all lost, all ties
            low, high = wilson_interval(verdicts.rate * prompts, prompts)
        known, spread = prompts >= FEWEST, float(np.sqrt((halves**2).sum()))
        yield {
            "arm": pair[0],
            "opponent": pair[1],
            "wins": int((verdicts.scores == 1).sum()),
            "ties": int((verdicts.scores == 0.5).sum()),
            "losses": int((verdicts.scores == 0).sum()),
            "verdicts": len(verdicts.scores),
            "prompts": prompts,
            "rate": verdicts.rate,
            "low": low if known else None,
            "high": high if known else None,
            "low_raters": low_raters,
            "high_raters": high_raters,
            "p": sign_flip_p(np.rint(2 * halves).astype(np.int64)),
            "p_raters": p_raters,
            "mde": (Z95 + Z80) * spread / len(verdicts.scores) if known and spread else None,
            "without_rater_low": min(without, default=None),
            "without_rater_high": max(without, default=None),
        }


def _prompt_intervals(comparisons: pl.DataFrame, pairs: list[tuple[str, str]], seed: int, resamples: int) -> Floats:
    """(2, P) limits of the rates over resampled prompts, the same prompts for all pairs; NaN for too few."""
    prompts, of_prompt = np.unique(comparisons["query_id"].to_numpy(), return_inverse=True)
    if len(prompts) < FEWEST:
        return np.full((2, len(pairs)), np.nan)
    places = {pair: place for place, pair in enumerate(pairs)}
    of_pair = np.array([places[pair] for pair in comparisons.select("arm", "opponent").iter_rows()])
    sums = np.zeros((2, len(prompts), len(pairs)))  # scores, verdicts
    np.add.at(sums[0], (of_prompt, of_pair), comparisons["score"].to_numpy())
    np.add.at(sums[1], (of_prompt, of_pair), 1)
    weights = bootstrap_weights(len(prompts), resamples, seed)
    with np.errstate(invalid="ignore"):
        return np.stack(percentile_interval((weights @ sums[0]) / (weights @ sums[1])))


def _without_a_rater(verdicts: Verdicts) -> list[float]:
    """The rate without each rater in turn; empty for one rater."""
    rates = [verdicts.scores[verdicts.raters != rater] for rater in np.unique(verdicts.raters)]
    return [float(rest.mean()) for rest in rates if len(rest)] if len(rates) > 1 else []


def _both_orders(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The row, and the same seen from the opponent."""
    turned = row | {"arm": row["opponent"], "opponent": row["arm"], "wins": row["losses"], "losses": row["wins"]}
    turned["rate"] = 1 - row["rate"]
    for low, high in (("low", "high"), ("low_raters", "high_raters"), ("without_rater_low", "without_rater_high")):
        for key, other in ((low, high), (high, low)):
            turned[key] = None if row[other] is None else 1 - row[other]
    return [row, turned]
