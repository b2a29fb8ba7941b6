"""Compute win rates of arms against each other, with intervals.

A verdict is one rater's comparison of two arms' answers to one prompt. A frame of verdicts has a row per verdict, with
`lang`, `genre`, `query_id`, `rater`, `arm`, `opponent` and `score`: 1 if `arm` wins, ½ for a tie, 0 if it loses. A win
rate is the mean score, (W + ½T) / N. It has two intervals. The first, for these raters and new prompts, resamples whole
prompts, as verdicts on one prompt are correlated. The second, for new raters too, also allows for correlation within
raters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from coig.statistics.clustered import Verdicts, interval_for_new_raters
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

PAIR = ["lang", "genre", "arm", "opponent"]
COMPARED = ("verdicts", "rate", "low", "high")
WITHOUT_COPIES: dict[str, Any] = {
    **{name: SCHEMA[name] for name in (*PAIR, *COMPARED)},
    **{f"{name}_without": SCHEMA[name] for name in COMPARED},
}


def compute_win_rates(
    verdicts: pl.DataFrame, arms: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> pl.DataFrame:
    """Compute the win rate of every arm against every other; columns as in SCHEMA.

    There are rows for each language over all genres (`genre` is null) and for each genre, two for each pair of arms
    that has verdicts, the second from the opponent's side. `p` is of a sign-flip test of a rate of one half, over
    prompts. `p_holm` corrects it for the pairs of one language, or for the pairs of all its genres. `p_raters`
    generalises to new raters too. `mde` is the difference from one half that would be detected with 80 % power.
    `without_rater_…` are the lowest and highest rate without one rater. `clean_…` stay null until `add_clean_rates`.
    Figures that cannot be computed are null: `low` and `high`, for example, below FEWEST prompts.

    Args:
        verdicts: a row per verdict, whose `arm` stands before its `opponent` in `arms`.
        arms: names of all judged arms, in the order of the rows.
    """
    rows = []
    for (lang,), part in _with_numbers(verdicts, arms).group_by("lang", maintain_order=True):
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


def add_clean_rates(rates: pl.DataFrame, verdicts: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Add to `rates` the win rate and number of verdicts between two clean answers: `clean_rate`, `clean_verdicts`.

    A clean answer is neither in the other language nor mixed. Verdicts on answers that are not in `answers` do not
    count. Both columns are null for a pair without such verdicts.

    Args:
        rates: the frame of `compute_win_rates`.
        answers: the frame of `measure_answers`.
    """
    clean = answers.filter(~pl.col("contaminated_any").fill_null(False)).select("query_id", "arm")
    both = verdicts.join(clean, on=["query_id", "arm"], how="semi", maintain_order="left").join(
        clean.rename({"arm": "opponent"}), on=["query_id", "opponent"], how="semi", maintain_order="left"
    )
    swapped = both.with_columns(arm="opponent", opponent="arm", score=1 - pl.col("score"))
    both_orders = pl.concat([both, swapped.select(both.columns)])
    key = ["lang", "genre", "arm", "opponent"]
    all_genres = both_orders.with_columns(genre=pl.lit(None, pl.String))
    grouped = pl.concat([both_orders.drop_nulls("genre"), all_genres]).group_by(key, maintain_order=True)
    clean_rates = grouped.agg(clean_rate=pl.col("score").mean(), clean_verdicts=pl.len().cast(pl.Int64))
    without = rates.drop("clean_rate", "clean_verdicts")
    return without.join(clean_rates, on=key, how="left", nulls_equal=True, maintain_order="left")


def compute_without_copies(rates: pl.DataFrame, verdicts: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Return win rates over all genres beside those without verdicts on near copies; columns as in WITHOUT_COPIES.

    There are no rows if no near copy was judged. The columns `…_without` are null for a pair that keeps no verdict.

    Args:
        rates: the frame of `compute_win_rates` of these verdicts.
        answers: the frame of `measure_answers`, with `near_copy` filled in.
    """
    copies = answers.filter("near_copy").select("query_id", "arm")
    kept = verdicts.join(copies, on=["query_id", "arm"], how="anti", maintain_order="left").join(
        copies.rename({"arm": "opponent"}), on=["query_id", "opponent"], how="anti", maintain_order="left"
    )
    if len(kept) == len(verdicts):
        return pl.DataFrame(schema=WITHOUT_COPIES)
    names = list(dict.fromkeys(rates["arm"]))
    others = compute_win_rates(kept, names).select(*PAIR, *(pl.col(name).alias(f"{name}_without") for name in COMPARED))
    return (
        rates.filter(pl.col("genre").is_null())
        .join(others, on=PAIR, how="left", nulls_equal=True, maintain_order="left")
        .select(list(WITHOUT_COPIES))
    )


def _with_numbers(verdicts: pl.DataFrame, arms: Sequence[str]) -> pl.DataFrame:
    """Add `first` and `second`, the places of arm and opponent in `arms`, and `prompt_number` and `rater_number`.

    All four are integers, computed once because the verdicts of every genre need them.
    """
    places = {name: number for number, name in enumerate(arms)}
    return verdicts.with_columns(
        first=pl.col("arm").replace_strict(places, return_dtype=pl.Int64),
        second=pl.col("opponent").replace_strict(places, return_dtype=pl.Int64),
        prompt_number=pl.col("query_id").rank("dense").cast(pl.Int64),
        rater_number=pl.col("rater").rank("dense").cast(pl.Int64),
    )


def _verdicts_by_pair(verdicts: pl.DataFrame, arms: Sequence[str]) -> dict[tuple[str, str], Verdicts]:
    """Group the rows of `_with_numbers` by pair of arms, in the order of `arms`; leave out pairs without verdicts."""
    scores, first, second, prompts, raters = (
        verdicts[name].to_numpy() for name in ("score", "first", "second", "prompt_number", "rater_number")
    )
    pairs = {}
    for (index, arm), (other, opponent) in combinations(enumerate(arms), 2):
        rows = (first == index) & (second == other)
        if rows.any():
            dense = [np.unique(codes[rows], return_inverse=True)[1] for codes in (prompts, raters)]
            pairs[arm, opponent] = Verdicts(scores[rows], *dense)
    return pairs


def _rows(verdicts: pl.DataFrame, arms: Sequence[str], seed: int, resamples: int) -> Iterator[dict[str, Any]]:
    """Yield a row of SCHEMA per judged pair, in the order of `arms` only, without `lang`, `genre` and `p_holm`."""
    pairs = _verdicts_by_pair(verdicts, arms)
    lows, highs = _prompt_intervals(verdicts, list(pairs), seed, resamples)
    for (pair, of_pair), low, high in zip(pairs.items(), lows, highs, strict=True):
        deviations = of_pair.by_prompt()
        low_raters, high_raters, p_raters = interval_for_new_raters(of_pair)
        without = _rates_without_a_rater(of_pair)
        prompts = len(deviations)
        if low == high:  # the resamples do not vary: every verdict is a win, or a loss, or a tie
            low, high = wilson_interval(of_pair.rate * prompts, prompts)
        known, spread = prompts >= FEWEST, float(np.sqrt((deviations**2).sum()))
        yield {
            "arm": pair[0],
            "opponent": pair[1],
            "wins": int((of_pair.scores == 1).sum()),
            "ties": int((of_pair.scores == 0.5).sum()),
            "losses": int((of_pair.scores == 0).sum()),
            "verdicts": len(of_pair.scores),
            "prompts": prompts,
            "rate": of_pair.rate,
            "low": low if known else None,
            "high": high if known else None,
            "low_raters": low_raters,
            "high_raters": high_raters,
            "p": sign_flip_p(np.rint(2 * deviations).astype(np.int64)),
            "p_raters": p_raters,
            "mde": (Z95 + Z80) * spread / len(of_pair.scores) if known and spread else None,
            "without_rater_low": min(without, default=None),
            "without_rater_high": max(without, default=None),
        }


def _prompt_intervals(verdicts: pl.DataFrame, pairs: list[tuple[str, str]], seed: int, resamples: int) -> Floats:
    """Return 95 % limits of each pair's rate over resampled prompts, (2, P): lower, then upper limits of P pairs.

    A resample draws the same prompts for all pairs. All limits are NaN if there are fewer than FEWEST prompts in all.
    """
    prompts, of_prompt = np.unique(verdicts["prompt_number"].to_numpy(), return_inverse=True)
    if len(prompts) < FEWEST:
        return np.full((2, len(pairs)), np.nan)
    numbers = {pair: number for number, pair in enumerate(pairs)}
    of_pair = np.array([numbers[pair] for pair in verdicts.select("arm", "opponent").iter_rows()])
    sums = np.zeros((2, len(prompts), len(pairs)))  # scores, verdicts
    np.add.at(sums[0], (of_prompt, of_pair), verdicts["score"].to_numpy())
    np.add.at(sums[1], (of_prompt, of_pair), 1)
    weights = bootstrap_weights(len(prompts), resamples, seed)
    with np.errstate(invalid="ignore"):
        return np.stack(percentile_interval((weights @ sums[0]) / (weights @ sums[1])))


def _rates_without_a_rater(verdicts: Verdicts) -> list[float]:
    """Return the win rates that remain when each rater in turn is left out, 0–1; an empty list for a single rater."""
    remaining = [verdicts.scores[verdicts.raters != rater] for rater in np.unique(verdicts.raters)]
    return [float(scores.mean()) for scores in remaining if len(scores)] if len(remaining) > 1 else []


def _both_orders(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a list of a pair's row and the same row from the opponent's side; p values and `mde` are the same."""
    swapped = row | {"arm": row["opponent"], "opponent": row["arm"], "wins": row["losses"], "losses": row["wins"]}
    swapped["rate"] = 1 - row["rate"]
    for low, high in (("low", "high"), ("low_raters", "high_raters"), ("without_rater_low", "without_rater_high")):
        for key, other in ((low, high), (high, low)):
            swapped[key] = None if row[other] is None else 1 - row[other]
    return [row, swapped]
