"""Compute the strengths of arms, and win rates at equal length, by the model of `coig.statistics.bradley_terry`.

Shapes: R resamples, Q prompts, P pairs of arms, K arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.statistics.bradley_terry import (
    LOSS,
    TIE,
    WIN,
    clustered_error,
    fit_bradley_terry,
    is_connected,
    predict_chances,
)
from coig.statistics.intervals import FEWEST, RESAMPLES, Z95, Floats, bootstrap_weights, percentile_interval

NEAR = 1e-6  # strengths that differ by less count as equal
STRENGTHS: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm"), pl.String),
    **dict.fromkeys(("strength", "low", "high"), pl.Float64),
    **dict.fromkeys(("rank", "rank_low", "rank_high"), pl.Int64),
    "not_separable_from": pl.String,
}
LENGTH_CONTROL: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm", "opponent"), pl.String),
    "verdicts": pl.Int64,
    **dict.fromkeys(("rate", "equal_length_rate", "gamma", "gamma_low", "gamma_high"), pl.Float64),
}


def compute_strengths(
    verdicts: pl.DataFrame, order: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> pl.DataFrame:
    """Compute each judged arm's strength in logits, by language, with 95 % limits over resampled prompts.

    Columns are as in STRENGTHS. Strengths sum to zero; rank 1 is the strongest. `not_separable_from` lists the arms for
    which the interval of the difference contains zero. All figures are null below FEWEST prompts, or if strengths are
    not finite: some arm has not beaten or tied some other one, directly or through a chain of arms (Ford 1957, American
    Mathematical Monthly 64:28).

    Args:
        verdicts: a row per verdict, as `compute_win_rates` takes them.
        order: names of all arms, in the order of the rows.
    """
    rows: list[dict[str, Any]] = []
    for (lang,), part in verdicts.group_by("lang", maintain_order=True):
        arms, pairs, counts = _counts_by_prompt(part, order)
        if len(counts) < FEWEST or not is_connected(arms, pairs, counts.sum(axis=0)):
            rows += [{"lang": lang, "arm": arm} for arm in arms]
            continue
        features = _contrasts(arms, pairs)
        [theta] = fit_bradley_terry(features, counts.sum(axis=0)[None])[:, : len(arms)]
        weights = bootstrap_weights(len(counts), resamples, seed)
        drawn = fit_bradley_terry(features, np.tensordot(weights, counts, axes=1))[:, : len(arms)]
        low, high = percentile_interval(drawn)
        rank_low, rank_high = percentile_interval(_ranks(drawn))
        below, above = percentile_interval(drawn[:, :, None] - drawn[:, None, :])
        for index, arm in enumerate(arms):
            overlaps = (below[index] <= NEAR) & (above[index] >= -NEAR)
            alike = [other for other, overlap in zip(arms, overlaps, strict=True) if overlap and other != arm]
            strength = {"strength": theta[index], "low": low[index], "high": high[index]}
            ranks = (_ranks(theta[None])[0, index], rank_low[index], np.ceil(rank_high[index]))
            ranked = dict(zip(("rank", "rank_low", "rank_high"), map(int, ranks), strict=True))
            row = {"lang": lang, "arm": arm, "not_separable_from": ", ".join(alike)}
            rows.append(row | strength | ranked)
    return pl.DataFrame([{key: row.get(key) for key in STRENGTHS} for row in rows], schema=STRENGTHS)


def control_length(verdicts: pl.DataFrame, lengths: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Compute win rates as observed and as the model predicts them for answers of equal length.

    Columns are as in LENGTH_CONTROL. A pair has a row in both orders; γ, the same in all rows of a language, is the
    coefficient of ln(length / opponent's length). Its 95 % limits use a sandwich variance clustered by prompt (Liang &
    Zeger 1986, Biometrika 73:13). Length may be part of quality, so both rates are reported. A language with fewer than
    FEWEST prompts has no rows.

    Args:
        verdicts: a row per verdict, as `compute_win_rates` takes them.
        lengths: arm, query_id, tokens; verdicts on answers without a length are left out.
        order: names of all arms, in the order of the rows.
    """
    known = lengths.filter(pl.col("tokens") > 0).select("query_id", "arm", "tokens")
    joined = verdicts.join(known, on=["query_id", "arm"], maintain_order="left").join(
        known.rename({"arm": "opponent", "tokens": "other_tokens"}), on=["query_id", "opponent"], maintain_order="left"
    )
    rows = []
    for (lang,), part in joined.group_by("lang", maintain_order=True):
        if part["query_id"].n_unique() >= FEWEST:
            rows += [{"lang": lang} | row for row in _length_rows(part, order)]
    return pl.DataFrame(rows, schema=LENGTH_CONTROL)


def _length_rows(part: pl.DataFrame, order: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of LENGTH_CONTROL for one language, without `lang`, both orders of each pair.

    γ and the rate at equal length are None if the length ratio is a linear function of the arms: then the effects of
    arm and length cannot be separated.
    """
    arms = sorted({*part["arm"], *part["opponent"]}, key=order.index)
    contrasts = _contrasts(arms, list(part.select("arm", "opponent").iter_rows()))
    log_ratio = np.log(part["tokens"].to_numpy() / part["other_tokens"].to_numpy())
    features = np.column_stack([contrasts, log_ratio])
    if np.linalg.matrix_rank(features) == np.linalg.matrix_rank(contrasts):
        beta, gammas = None, {}
    else:
        counts = np.stack([part["score"].to_numpy() == score for score in (1.0, 0.5, 0.0)], axis=-1)[None].astype(float)
        beta = fit_bradley_terry(features, counts)
        gamma, error = beta[0, len(arms)], clustered_error(features, counts, beta, part["query_id"])
        gammas = {"gamma": gamma, "gamma_low": gamma - Z95 * error, "gamma_high": gamma + Z95 * error}
    rows = []
    for (arm, opponent), of_pair in sorted(
        part.group_by("arm", "opponent", maintain_order=True), key=lambda group: group[0]
    ):
        rate, equal = float(of_pair["score"].mean()), None  # type: ignore[arg-type]
        if beta is not None:
            contrast = np.append(_contrasts(arms, [(str(arm), str(opponent))]), [[0.0]], axis=1)
            [[win, tie, _]] = predict_chances(contrast, beta, np.isfinite(beta[0, -1]))[0]
            equal = float(win + tie / 2)
        shared = {"verdicts": len(of_pair), **gammas}
        rows.append({"arm": arm, "opponent": opponent, "rate": rate, "equal_length_rate": equal} | shared)
        swapped = {"rate": 1 - rate, "equal_length_rate": None if equal is None else 1 - equal}
        rows.append({"arm": opponent, "opponent": arm} | swapped | shared)
    return [{key: row.get(key) for key in LENGTH_CONTROL if key != "lang"} for row in rows]


def _counts_by_prompt(
    part: pl.DataFrame, order: Sequence[str]
) -> tuple[list[str], list[tuple[str, str]], NDArray[np.float64]]:
    """Return the judged arms, the pairs that have verdicts, and the first arm's wins, ties and losses, (Q, P, 3)."""
    arms = sorted({*part["arm"], *part["opponent"]}, key=order.index)
    pairs = sorted(set(part.select("arm", "opponent").iter_rows()))
    numbers = {pair: number for number, pair in enumerate(pairs)}
    prompts = {query: number for number, query in enumerate(sorted(set(part["query_id"])))}
    counts = np.zeros((len(prompts), len(pairs), 3))
    for query, arm, opponent, score in part.select("query_id", "arm", "opponent", "score").iter_rows():
        counts[prompts[query], numbers[arm, opponent], {1.0: WIN, 0.5: TIE, 0.0: LOSS}[score]] += 1
    return arms, pairs, counts


def _contrasts(arms: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Floats:
    """Return the design matrix, (P, K): +1 for the first arm of each pair, −1 for the second, 0 for others."""
    matrix = np.zeros((len(pairs), len(arms)))
    for row, (arm, opponent) in enumerate(pairs):
        matrix[row, arms.index(arm)], matrix[row, arms.index(opponent)] = 1.0, -1.0
    return matrix


def _ranks(strengths: Floats) -> Floats:
    """Rank the arms of each resample by strength, (R, K) to (R, K): 1 for the strongest.

    Arms whose strengths differ by at most NEAR share the best of their ranks: 1, 1, 3.
    """
    above: Floats = (strengths[:, None, :] > strengths[:, :, None] + NEAR).sum(axis=-1).astype(np.float64)
    return above + 1
