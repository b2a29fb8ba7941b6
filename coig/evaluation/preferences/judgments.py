"""Judgments of people and judges as frames: comparisons of two arms, ranks, ratings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import polars as pl

from coig.errors import DataError, suggestion
from coig.records.judgment import Judgment, read_judgments

COMPARISON = {
    **dict.fromkeys(("query_id", "lang", "genre", "arm", "opponent", "rater"), pl.String),
    "score": pl.Float64,  # of `arm`: 1 won, 0 lost, 0.5 a tie
}
SCORES = {"a": 1.0, "tie": 0.5, "b": 0.0}  # of the first arm
RANK = {**dict.fromkeys(("query_id", "lang", "rater", "arm"), pl.String), "rank": pl.Float64}
RATING = {**dict.fromkeys(("query_id", "lang", "rater", "arm", "dimension"), pl.String), "value": pl.Float64}


@dataclass(frozen=True)
class Judgments:
    """`comparisons`, `ranks` and `ratings`: a row per pair of arms, per ranked arm, per rated arm and dimension."""

    comparisons: pl.DataFrame
    ranks: pl.DataFrame
    ratings: pl.DataFrame

    def of(self, arms: Collection[str]) -> Judgments:
        """Keep what is about these arms only."""
        among = pl.col("arm").is_in(list(arms))
        pairs = self.comparisons.filter(among & pl.col("opponent").is_in(list(arms)))
        return Judgments(pairs, self.ranks.filter(among), self.ratings.filter(among))


def collect_judgments(
    files: Sequence[Path], study: str, known: Collection[str] | None, langs: Mapping[str, str]
) -> list[Judgment]:
    """Read the judgments of all files that count: no checks, abstentions or failures, none that was taken back, and
    one `id` once.

    Args:
        known: the arms that there are; None: whichever are judged.
        langs: language of the queries that were answered.

    Raises DataError with file and line for what cannot be used: numbers would be wrong without it, too.
    """
    read = [pair for file in files for pair in read_judgments(file, study)]
    superseded = {judgment.supersedes for _, judgment in read if judgment.supersedes}
    once = {pair[1].id or number: pair for number, pair in enumerate(read)}
    counted = [(p, one) for p, one in once.values() if one.counts and (one.id is None or one.id not in superseded)]
    if not counted:
        raise DataError(f"judgments: {', '.join(map(str, files))}: holds no judgments")
    _check(counted, known, dict(langs))
    return [judgment for _, judgment in counted]


def tabulate_judgments(
    judgments: Sequence[Judgment], arms: Sequence[str], genres: Mapping[str, str | None]
) -> Judgments:
    """Return judgments as frames. A pair that a rater judged in both orders counts once, as a tie if the verdicts
    differ.

    Args:
        arms: in order; of two, the earlier is `arm` and the later `opponent`.
        genres: of queries whose judgments name none.
    """
    comparisons = [row for one in judgments for row in _comparisons(one, arms, genres)]
    ranks = [
        (one.query_id, one.lang, one.rater, arm, rank)
        for one in judgments
        if isinstance(one.value, list)
        for arm, rank in zip(one.arms, one.value, strict=True)
    ]
    ratings = [
        (one.query_id, one.lang, one.rater, one.arms[0], dimension, value)
        for one in judgments
        if isinstance(one.value, dict)
        for dimension, value in one.value.items()
    ]
    keys = [key for key in COMPARISON if key != "score"]
    compared = pl.DataFrame(comparisons, schema=COMPARISON, orient="row").group_by(keys, maintain_order=True)
    return Judgments(
        compared.agg(score=((pl.col("score") - 0.5).sum().sign() + 1) / 2),
        pl.DataFrame(ranks, schema=RANK, orient="row"),
        pl.DataFrame(ratings, schema=RATING, orient="row"),
    )


def _check(judgments: Sequence[tuple[str, Judgment]], known: Collection[str] | None, langs: dict[str, str]) -> None:
    """Raise DataError for an unknown arm, a query of two languages, and a rater's second word on the same thing."""
    places: dict[Any, str] = {}
    for place, one in judgments:
        for arm in one.arms:
            if known is not None and arm not in known:
                raise DataError(f"{place}: arm '{arm}' is not in this study" + suggestion(arm, sorted(known)))
        if langs.setdefault(one.query_id, one.lang) != one.lang:
            raise DataError(f"{place}: query {one.query_id} is {one.lang} here, {langs[one.query_id]} before")
        for about in _subjects(one):
            first = places.setdefault((one.query_id, one.rater, about), place)
            if first != place:
                raise DataError(
                    f"{place}: rater {one.rater} has judged {one.query_id} at {first} already; remove one of them "
                    "(in the authors' exports the rater is the file's name)"
                )


def _subjects(one: Judgment) -> list[Any]:
    """List what a rater may judge once: an arm's rank and its ratings; a pair in one order, unless it was ranked."""
    if isinstance(one.value, list):
        return [("rank", arm) for arm in one.arms] + list(permutations(one.arms, 2))
    if isinstance(one.value, dict):
        return [("rating", one.arms[0], dimension) for dimension in one.value]
    return [one.arms]


def _comparisons(one: Judgment, arms: Sequence[str], genres: Mapping[str, str | None]) -> Iterator[tuple[Any, ...]]:
    """Yield a row of COMPARISON for each pair that a judgment compares."""
    pairs: list[tuple[str, str, float]] = []
    if isinstance(one.value, str):
        pairs = [(one.arms[0], one.arms[1], SCORES[one.value])]
    elif isinstance(one.value, list):
        both = combinations(zip(one.arms, one.value, strict=True), 2)
        pairs = [(a, b, 0.5 if rank == other else float(rank < other)) for (a, rank), (b, other) in both]
    for a, b, score in pairs:
        if arms.index(a) > arms.index(b):
            a, b, score = b, a, 1 - score
        yield one.query_id, one.lang, one.genre or genres.get(one.query_id), a, b, one.rater, score
