"""Put a judge's verdicts beside people's verdicts on the same pairs of answers, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.statistics.intervals import Floats

PAIR = ["query_id", "arm", "opponent"]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Items:
    """N pairs of answers that a judge and people compared; scores are of the first answer.

    pairs: query_id, genre, arm, opponent, score, soft of the judge, a row per pair. people: (N, R), NaN where a rater
    did not judge.
    """

    pairs: pl.DataFrame
    people: Floats

    def select(self, kept: NDArray[np.bool_]) -> Items:
        """Return the items where `kept`, (N,), is true."""
        return Items(self.pairs.filter(pl.Series(kept, dtype=pl.Boolean)), self.people[kept])

    @property
    def prompts(self) -> Indices:
        """Return which prompt each pair is about, as a number from 0, (N,)."""
        return number_prompts(self.pairs)

    @property
    def raters(self) -> Indices:
        """Return how many people judged each pair, (N,)."""
        counts: Indices = np.isfinite(self.people).sum(axis=1)
        return counts


def join_people(by_pair: pl.DataFrame, verdicts: pl.DataFrame) -> Items:
    """Return the pairs that both a judge and people compared.

    Args:
        by_pair: one judge's rows of `JudgeVerdicts.by_pair` in one language.
        verdicts: people's, columns as in VERDICT.
    """
    both = verdicts.join(by_pair, on=PAIR, how="semi", maintain_order="left")
    if both.is_empty():
        return Items(by_pair.clear(), np.zeros((0, 0)))
    wide = both.pivot(on="rater", index=PAIR, values="score", aggregate_function="mean")
    joined = by_pair.join(wide, on=PAIR, how="inner", maintain_order="left")
    raters = [name for name in wide.columns if name not in PAIR]
    return Items(joined.select(by_pair.columns), joined.select(raters).cast(pl.Float64).to_numpy().astype(np.float64))


def number_prompts(rows: pl.DataFrame) -> Indices:
    """Number the distinct prompts of `rows` from 0, and return each row's number, (N,)."""
    numbers: Indices = rows["query_id"].rank("dense").cast(pl.Int64).to_numpy() - 1
    return numbers
