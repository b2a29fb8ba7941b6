"""How strong each arm is: Bradley & Terry's model (1952, Biometrika 39:324) with Davidson's ties (1970, JASA 65:317).

For arms i and j with δ = θᵢ − θⱼ the odds of win : tie : loss are exp(δ/2) : ν : exp(−δ/2). A covariate of the pair,
the logarithm of the ratio of their lengths, may be added to δ: antisymmetric as θ is, and not centred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.statistics.bradley_terry import LOSS, TIE, WIN, chances_of, clustered_error, fit, is_connected
from coig.statistics.intervals import FEWEST, RESAMPLES, Z95, Floats, bootstrap_weights, percentile_interval

NEAR = 1e-6  # strengths that differ by less are equal
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


def strengths(
    comparisons: pl.DataFrame, order: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> pl.DataFrame:
    """Strengths in logits, their sum zero, by language, with 95 % intervals over resampled prompts; an arm is not
    separable from another if the interval of their difference holds zero. Rank 1 is the strongest.

    All is null where the model has no finite strengths: unless every arm has beaten, or tied with, every other one
    directly or by way of others (Ford 1957, American Mathematical Monthly 64:28); and for fewer than 6 prompts.
    """
    rows: list[dict[str, Any]] = []
    for (lang,), part in comparisons.group_by("lang", maintain_order=True):
        arms, pairs, counts = _counts_by_prompt(part, order)
        if len(counts) < FEWEST or not is_connected(arms, pairs, counts.sum(axis=0)):
            rows += [{"lang": lang, "arm": arm} for arm in arms]
            continue
        features = _contrasts(arms, pairs)
        [theta] = fit(features, counts.sum(axis=0)[None])[:, : len(arms)]
        weights = bootstrap_weights(len(counts), resamples, seed)
        drawn = fit(features, np.tensordot(weights, counts, axes=1))[:, : len(arms)]
        low, high = percentile_interval(drawn)
        rank_low, rank_high = percentile_interval(_ranks(drawn))
        below, above = percentile_interval(drawn[:, :, None] - drawn[:, None, :])
        for place, arm in enumerate(arms):
            overlaps = (below[place] <= NEAR) & (above[place] >= -NEAR)
            alike = [other for other, overlap in zip(arms, overlaps, strict=True) if overlap and other != arm]
            found = {"strength": theta[place], "low": low[place], "high": high[place]}
            ranks = (_ranks(theta[None])[0, place], rank_low[place], np.ceil(rank_high[place]))
            ranked = dict(zip(("rank", "rank_low", "rank_high"), map(int, ranks), strict=True))
            apart = {"not_separable_from": ", ".join(alike)}
            rows.append({"lang": lang, "arm": arm} | found | ranked | apart)
    return pl.DataFrame([{key: row.get(key) for key in STRENGTHS} for row in rows], schema=STRENGTHS)


def length_control(comparisons: pl.DataFrame, lengths: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Win rates as they are and as the model has them for answers of equal length, by language.

    γ is the weight of ln(length / opponent's length), with a 95 % interval by the sandwich of clustered prompts (Liang
    & Zeger 1986, Biometrika 73:13). Length may be part of quality: both rates stand side by side.

    Args:
        lengths: arm, query_id, tokens; verdicts on answers without a length are left out.
    """
    known = lengths.filter(pl.col("tokens") > 0).select("query_id", "arm", "tokens")
    joined = comparisons.join(known, on=["query_id", "arm"]).join(
        known.rename({"arm": "opponent", "tokens": "other_tokens"}), on=["query_id", "opponent"]
    )
    rows = []
    for (lang,), part in joined.group_by("lang", maintain_order=True):
        if part["query_id"].n_unique() >= FEWEST:
            rows += [{"lang": lang} | row for row in _length_rows(part, order)]
    return pl.DataFrame(rows, schema=LENGTH_CONTROL)


def _length_rows(part: pl.DataFrame, order: Sequence[str]) -> list[dict[str, Any]]:
    """Both orders of each pair. γ is null where the arms alone say which answer is how much longer."""
    arms = sorted({*part["arm"], *part["opponent"]}, key=order.index)
    contrasts = _contrasts(arms, list(part.select("arm", "opponent").iter_rows()))
    log_ratio = np.log(part["tokens"].to_numpy() / part["other_tokens"].to_numpy())
    features = np.column_stack([contrasts, log_ratio])
    if np.linalg.matrix_rank(features) == np.linalg.matrix_rank(contrasts):
        beta, gammas = None, {}
    else:
        counts = np.stack([part["score"].to_numpy() == score for score in (1.0, 0.5, 0.0)], axis=-1)[None].astype(float)
        beta = fit(features, counts)
        gamma, error = beta[0, len(arms)], clustered_error(features, counts, beta, part["query_id"])
        gammas = {"gamma": gamma, "gamma_low": gamma - Z95 * error, "gamma_high": gamma + Z95 * error}
    rows = []
    for (arm, opponent), verdicts in sorted(part.group_by("arm", "opponent"), key=lambda group: group[0]):
        rate, equal = float(verdicts["score"].mean()), None  # type: ignore[arg-type]
        if beta is not None:
            contrast = np.append(_contrasts(arms, [(str(arm), str(opponent))]), [[0.0]], axis=1)
            [[win, tie, _]] = chances_of(contrast, beta, np.isfinite(beta[0, -1]))[0]
            equal = float(win + tie / 2)
        shared = {"verdicts": len(verdicts), **gammas}
        rows.append({"arm": arm, "opponent": opponent, "rate": rate, "equal_length_rate": equal} | shared)
        turned = {"rate": 1 - rate, "equal_length_rate": None if equal is None else 1 - equal}
        rows.append({"arm": opponent, "opponent": arm} | turned | shared)
    return [{key: row.get(key) for key in LENGTH_CONTROL if key != "lang"} for row in rows]


def _counts_by_prompt(
    part: pl.DataFrame, order: Sequence[str]
) -> tuple[list[str], list[tuple[str, str]], NDArray[np.float64]]:
    """The arms, the pairs that were compared, and (Q, P, 3) wins, ties and losses of the first of each pair."""
    arms = sorted({*part["arm"], *part["opponent"]}, key=order.index)
    pairs = sorted(set(part.select("arm", "opponent").iter_rows()))
    places = {pair: place for place, pair in enumerate(pairs)}
    prompts = {query: place for place, query in enumerate(sorted(set(part["query_id"])))}
    counts = np.zeros((len(prompts), len(pairs), 3))
    for query, arm, opponent, score in part.select("query_id", "arm", "opponent", "score").iter_rows():
        counts[prompts[query], places[arm, opponent], {1.0: WIN, 0.5: TIE, 0.0: LOSS}[score]] += 1
    return arms, pairs, counts


def _contrasts(arms: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Floats:
    """(P, K), +1 for the first arm of a pair and −1 for the second."""
    matrix = np.zeros((len(pairs), len(arms)))
    for place, (arm, opponent) in enumerate(pairs):
        matrix[place, arms.index(arm)], matrix[place, arms.index(opponent)] = 1.0, -1.0
    return matrix


def _ranks(strengths: Floats) -> Floats:
    """(R, K), 1 for the strongest; equal ones share a rank."""
    above: Floats = (strengths[:, None, :] > strengths[:, :, None] + NEAR).sum(axis=-1).astype(np.float64)
    return above + 1
