"""Agreement between raters, each rater's severity, and mean ratings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.agreement import count_coincidences, kendall_w, krippendorff_alpha, mean_spearman
from coig.statistics.intervals import FEWEST, RESAMPLES, bootstrap_weights, percentile_interval
from coig.text.language_codes import LANGUAGES

AGREEMENT: dict[str, Any] = {
    **dict.fromkeys(("lang", "kind"), pl.String),
    **dict.fromkeys(("raters", "items"), pl.Int64),
    **dict.fromkeys(("alpha", "alpha_low", "alpha_high", "kendall_w", "mean_spearman"), pl.Float64),
    "note": pl.String,
}
SUSPICIOUS = 20  # two raters who agree on this many items, without exception, may be one person
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


def agreement_table(judgments: Judgments, seed: int = 0, resamples: int = RESAMPLES) -> pl.DataFrame:
    """Compute the agreement of raters by language and kind of judgment; columns as in AGREEMENT.

    `alpha` is Krippendorff's ordinal α, with a 95 % interval over resampled prompts. Rankings also get Kendall's W and
    the mean Spearman ρ over pairs of raters, both averaged over prompts. An item is an answer, or a pair of answers in
    verdicts. A rater's verdicts on a query that the rater ranked are left out. Missing figures are null; `note` says
    why, or that two raters may be one person.
    """
    pairs = judgments.verdicts.join(judgments.ranks, on=["query_id", "rater"], how="anti", maintain_order="left")
    items = [
        *_split_by_language("ranking", judgments.ranks.with_columns(item="arm", value="rank")),
        *_split_by_language(
            "pairwise", pairs.with_columns(item=pl.concat_str("arm", pl.lit("\t"), "opponent"), value="score")
        ),
    ]
    for (dimension,), part in judgments.ratings.group_by("dimension", maintain_order=True):
        items += _split_by_language(f"rating: {dimension}", part.with_columns(item="arm"))
    rows = [{"lang": lang, "kind": kind} | _agreement_row(part, kind, seed, resamples) for lang, kind, part in items]
    return pl.DataFrame(rows, schema=AGREEMENT).with_columns(pl.col(pl.Float64).fill_nan(None))


def _split_by_language(kind: str, judged: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    """Split the judgments of one kind into (language, kind, frame of query_id, item, rater, value)."""
    parts = judged.partition_by("lang", maintain_order=True, as_dict=True)
    return [(str(lang), kind, part.select("query_id", "item", "rater", "value")) for (lang,), part in parts.items()]


def _agreement_row(judged: pl.DataFrame, kind: str, seed: int, resamples: int) -> dict[str, Any]:
    """Return the columns of AGREEMENT for the judgments of one language and kind; unknown figures are left out or None.

    Args:
        judged: columns query_id, item, rater and value; several values of a rater for an item are averaged.
    """
    judged = judged.group_by("query_id", "item", "rater", maintain_order=True).agg(pl.col("value").mean())
    shared = judged.filter(pl.len().over("query_id", "item") > 1)
    row: dict[str, Any] = {"raters": judged["rater"].n_unique(), "items": judged.select("query_id", "item").n_unique()}
    if shared.is_empty():
        return row | {"note": "no item has two raters: agreement is unknown"}
    if shared["value"].n_unique() == 1:
        return row | {"note": "all judgments are the same: there is no variation to agree on"}
    units = shared.group_by("query_id", "item", maintain_order=True).agg("value")
    tables = count_coincidences([(query, values) for query, _, values in units.iter_rows()])
    weights = bootstrap_weights(len(tables), resamples, seed)
    drawn = krippendorff_alpha(np.tensordot(weights, tables, axes=1))
    [low], [high] = percentile_interval(drawn[:, None])
    w, rho = _concordance(shared) if kind == "ranking" else (None, None)
    if len(tables) < FEWEST:
        low = high = None
    found = {"alpha": float(krippendorff_alpha(tables.sum(axis=0)[None])[0]), "alpha_low": low, "alpha_high": high}
    notes = []
    if kind == "ranking" and w is None:
        notes.append("no prompt whose raters ranked the same arms in different ways")
    if alike := _most_alike(shared):
        notes.append(f"two raters agree on all their {alike} items: are they one person?")
    return row | found | {"kendall_w": w, "mean_spearman": rho, "note": "; ".join(notes)}


def _most_alike(shared: pl.DataFrame) -> int:
    """Return the largest number of items that two raters share and all judge alike; 0 if it is below SUSPICIOUS."""
    both = shared.join(shared, on=["query_id", "item"], suffix="_other", maintain_order="left").filter(
        pl.col("rater") < pl.col("rater_other")
    )
    alike = (pl.col("value") == pl.col("value_other")).all()
    pairs = both.group_by("rater", "rater_other", maintain_order=True).agg(items=pl.len(), alike=alike)
    return max(pairs.filter("alike", pl.col("items") >= SUSPICIOUS)["items"], default=0)


def _concordance(ranks: pl.DataFrame) -> tuple[float | None, float | None]:
    """Return the mean Kendall's W and the mean Spearman ρ over prompts whose raters all ranked the same arms.

    A prompt with a single rater, or on which every rater ties all arms, does not count, nor for ρ one on which fewer
    than two raters tell any arms apart; None if no prompt counts.
    """
    wide = ranks.pivot(on="item", index=["query_id", "rater"], values="value").sort("query_id", "rater")
    parts = [part.drop("query_id", "rater").to_numpy() for part in wide.partition_by("query_id")]
    tables = [table[:, np.isfinite(table).any(axis=0)] for table in parts if len(table) > 1]
    complete = [table for table in tables if np.isfinite(table).all()]
    concordances = [w for table in complete if (w := kendall_w(table)) is not None]
    correlations = [rho for table in complete if (rho := mean_spearman(table)) is not None]
    return _mean(concordances), _mean(correlations)


def _mean(values: Sequence[float]) -> float | None:
    """Return the mean of values; None without values."""
    return float(np.mean(values)) if values else None


def rater_table(judgments: Judgments) -> pl.DataFrame:
    """Count each rater's judgments by language, with severity and share of ties; columns as in RATERS.

    `judgments` counts each answer that the rater rated, and each query whose answers the rater ranked or compared,
    however many verdicts that gave. `severity` is how much lower the rater rates the same answers than the other
    raters, on average. It is null if nobody else rated them: verdicts and rankings do not show it. `tie_share` (0–1) is
    the share of ties among the rater's verdicts, null without verdicts.
    """
    ratings, verdicts = judgments.ratings, judgments.verdicts
    shared = ratings.filter(pl.len().over("query_id", "arm", "dimension") > 1)
    others = (pl.col("value").sum() - pl.col("value")) / (pl.len() - 1)
    severity = (
        shared.with_columns(others=others.over("query_id", "arm", "dimension"))
        .group_by("lang", "rater", maintain_order=True)
        .agg(severity=(pl.col("others") - pl.col("value")).mean())
    )
    ties = verdicts.group_by("lang", "rater", maintain_order=True).agg(tie_share=(pl.col("score") == 0.5).mean())
    keys = ["lang", "rater", "query_id"]
    rated, compared = (
        ratings.select(*keys, "arm").unique(maintain_order=True),
        verdicts.select(*keys).unique(maintain_order=True),
    )
    single = pl.concat([rated, compared.with_columns(arm=pl.lit(None, pl.String))])
    counted = single.group_by("lang", "rater", maintain_order=True).agg(judgments=pl.len().cast(pl.Int64))
    joined = counted.join(severity, on=["lang", "rater"], how="left", maintain_order="left").join(
        ties, on=["lang", "rater"], how="left", maintain_order="left"
    )
    return joined.select(list(RATERS)).sort(pl.col("lang").cast(pl.Enum(LANGUAGES)), "rater")


def rating_table(ratings: pl.DataFrame, arms: Sequence[str], seed: int = 0, resamples: int = RESAMPLES) -> pl.DataFrame:
    """Average the ratings by (lang, dimension, arm), with a 95 % interval over prompts; columns as in RATINGS.

    The interval is null if there are fewer than FEWEST prompts. Rows are sorted with Chinese first and arms in the
    order of `arms`.
    """
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
    rows.sort(key=lambda row: (LANGUAGES.index(str(row["lang"])), row["dimension"], arms.index(str(row["arm"]))))
    return pl.DataFrame(rows, schema=RATINGS)
