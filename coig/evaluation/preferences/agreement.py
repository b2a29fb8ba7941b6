"""Whether raters agree, and how strict each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.agreement import alpha, kendall_w
from coig.statistics.intervals import FEWEST, RESAMPLES, Floats, bootstrap_weights, percentile_interval

AGREEMENT: dict[str, Any] = {
    **dict.fromkeys(("lang", "kind"), pl.String),
    **dict.fromkeys(("raters", "items"), pl.Int64),
    **dict.fromkeys(("alpha", "alpha_low", "alpha_high", "kendall_w", "mean_spearman"), pl.Float64),
    "note": pl.String,
}
SUSPICIOUS = 20  # items that two people hardly ever judge all alike
RATINGS: dict[str, Any] = {
    **dict.fromkeys(("lang", "dimension", "arm"), pl.String),
    **dict.fromkeys(("mean", "low", "high"), pl.Float64),
    **dict.fromkeys(("ratings", "prompts"), pl.Int64),
}
RATERS: dict[str, Any] = {
    **dict.fromkeys(("lang", "rater"), pl.String),
    "judgments": pl.Int64,
    **dict.fromkeys(("severity", "tie_share"), pl.Float64),
}


def agreement(judgments: Judgments, seed: int = 0, resamples: int = RESAMPLES) -> pl.DataFrame:
    """By language and kind of judgment: Krippendorff's ordinal α with a 95 % interval over resampled prompts, and for
    rankings Kendall's W and the mean of Spearman's ρ over pairs of raters, means over prompts.

    An item is an answer, for verdicts on pairs a pair of answers. `note` says why a figure is missing.
    """
    pairs = judgments.comparisons.join(judgments.ranks, on=["query_id", "rater"], how="anti")
    items = [
        *_kinds("ranking", judgments.ranks.with_columns(item="arm", value="rank")),
        *_kinds("pairwise", pairs.with_columns(item=pl.concat_str("arm", pl.lit("\t"), "opponent"), value="score")),
    ]
    for (dimension,), part in judgments.ratings.group_by("dimension", maintain_order=True):
        items += _kinds(f"rating: {dimension}", part.with_columns(item="arm"))
    rows = [{"lang": lang, "kind": kind} | _agreement(part, kind, seed, resamples) for lang, kind, part in items]
    return pl.DataFrame(rows, schema=AGREEMENT).with_columns(pl.col(pl.Float64).fill_nan(None))


def _kinds(kind: str, judged: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    parts = judged.partition_by("lang", maintain_order=True, as_dict=True)
    return [(str(lang), kind, part.select("query_id", "item", "rater", "value")) for (lang,), part in parts.items()]


def _agreement(judged: pl.DataFrame, kind: str, seed: int, resamples: int) -> dict[str, Any]:
    judged = judged.group_by("query_id", "item", "rater", maintain_order=True).agg(pl.col("value").mean())
    shared = judged.filter(pl.len().over("query_id", "item") > 1)
    row: dict[str, Any] = {"raters": judged["rater"].n_unique(), "items": judged.select("query_id", "item").n_unique()}
    if shared.is_empty():
        return row | {"note": "no item has two raters: agreement cannot be told"}
    if shared["value"].n_unique() == 1:
        return row | {"note": "all judgments are the same: there is no variation to agree on"}
    coincidences = _coincidences(shared)
    weights = bootstrap_weights(len(coincidences), resamples, seed)
    drawn = alpha(np.tensordot(weights, coincidences, axes=1))
    [low], [high] = percentile_interval(drawn[:, None])
    w, rho = _concordance(shared) if kind == "ranking" else (None, None)
    if len(coincidences) < FEWEST:
        low = high = None
    found = {"alpha": float(alpha(coincidences.sum(axis=0)[None])[0]), "alpha_low": low, "alpha_high": high}
    notes = []
    if kind == "ranking" and w is None:
        notes.append("no prompt whose raters ranked the same arms in different ways")
    if alike := _most_alike(shared):
        notes.append(f"two raters agree on all their {alike} items: are they one person?")
    return row | found | {"kendall_w": w, "mean_spearman": rho, "note": "; ".join(notes)}


def _most_alike(shared: pl.DataFrame) -> int:
    """Return the most items that two raters share and judge all alike; 0 where chance may explain it."""
    both = shared.join(shared, on=["query_id", "item"], suffix="_other").filter(pl.col("rater") < pl.col("rater_other"))
    alike = (pl.col("value") == pl.col("value_other")).all()
    pairs = both.group_by("rater", "rater_other").agg(items=pl.len(), alike=alike)
    return max(pairs.filter("alike", pl.col("items") >= SUSPICIOUS)["items"], default=0)


def _coincidences(shared: pl.DataFrame) -> Floats:
    """(Q, V, V), how often each two values stand together in an item, by prompt; the V values in order.

    A pair of values of an item with m of them counts 1 / (m − 1) (Krippendorff 2011, "Computing Krippendorff's
    alpha-reliability").
    """
    values = {value: place for place, value in enumerate(sorted(set(shared["value"])))}
    prompts = {query: place for place, query in enumerate(sorted(set(shared["query_id"])))}
    tables = np.zeros((len(prompts), len(values), len(values)))
    counted = shared.group_by("query_id", "item", maintain_order=True).agg("value")
    for query, _, judged in counted.iter_rows():
        counts = np.bincount([values[value] for value in judged], minlength=len(values)).astype(np.float64)
        tables[prompts[query]] += (np.outer(counts, counts) - np.diag(counts)) / (counts.sum() - 1)
    return tables


def _concordance(ranks: pl.DataFrame) -> tuple[float | None, float | None]:
    """Mean W and mean ρ over the prompts whose raters ranked the same arms; None if there is no such prompt."""
    wide = ranks.pivot(on="item", index=["query_id", "rater"], values="value").sort("query_id", "rater")
    parts = [part.drop("query_id", "rater").to_numpy() for part in wide.partition_by("query_id")]
    tables = [table[:, np.isfinite(table).any(axis=0)] for table in parts if len(table) > 1]
    complete = [table for table in tables if np.isfinite(table).all()]
    found = [(w, len(table)) for table in complete if (w := kendall_w(table)) is not None]
    if not found:
        return None, None
    rhos = [(raters * w - 1) / (raters - 1) for w, raters in found]
    return float(np.mean([w for w, _ in found])), float(np.mean(rhos))


def raters(judgments: Judgments) -> pl.DataFrame:
    """Return each rater's number of judgments, severity and share of ties.

    Severity: how much lower the rater rates the same answers than the others do; null without ratings by two raters,
    for rankings do not show it.
    """
    ratings, comparisons = judgments.ratings, judgments.comparisons
    shared = ratings.filter(pl.len().over("query_id", "arm", "dimension") > 1)
    others = (pl.col("value").sum() - pl.col("value")) / (pl.len() - 1)
    severity = (
        shared.with_columns(others=others.over("query_id", "arm", "dimension"))
        .group_by("lang", "rater")
        .agg(severity=(pl.col("others") - pl.col("value")).mean())
    )
    ties = comparisons.group_by("lang", "rater").agg(tie_share=(pl.col("score") == 0.5).mean())
    keys = ["lang", "rater", "query_id"]
    rated, compared = ratings.select(*keys, "arm").unique(), comparisons.select(*keys).unique()
    single = pl.concat([rated, compared.with_columns(arm=pl.lit(None, pl.String))])
    counted = single.group_by("lang", "rater").agg(judgments=pl.len().cast(pl.Int64))
    joined = counted.join(severity, on=["lang", "rater"], how="left").join(ties, on=["lang", "rater"], how="left")
    return joined.select(list(RATERS)).sort("lang", "rater", descending=[True, False])


def mean_ratings(ratings: pl.DataFrame, arms: Sequence[str], seed: int = 0, resamples: int = RESAMPLES) -> pl.DataFrame:
    """The mean of every dimension by language and arm, with a 95 % interval over resampled prompts."""
    rows = []
    for (lang, dimension, arm), part in ratings.group_by("lang", "dimension", "arm", maintain_order=True):
        by_prompt = part.group_by("query_id", maintain_order=True).agg(total=pl.col("value").sum(), count=pl.len())
        low = high = None
        if len(by_prompt) >= FEWEST:
            weights = bootstrap_weights(len(by_prompt), resamples, seed)
            drawn = (weights @ by_prompt["total"].to_numpy()) / (weights @ by_prompt["count"].to_numpy())
            [low], [high] = percentile_interval(drawn[:, None])
        found = {"mean": part["value"].mean(), "low": low, "high": high}
        rows.append(
            {"lang": lang, "dimension": dimension, "arm": arm, "ratings": len(part), "prompts": len(by_prompt)} | found
        )
    rows.sort(key=lambda row: (row["lang"] != "zh", row["dimension"], arms.index(str(row["arm"]))))
    return pl.DataFrame(rows, schema=RATINGS)
