"""Judgments of people and judges as frames: comparisons of two arms, ranks, ratings."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import polars as pl

from coig.errors import DataError, suggestion
from coig.records.judgment import Judgment, read_judgments

log = logging.getLogger(__name__)
PAPERS_SCALE = (0.0, 3.0)
COMPARISON = {
    **dict.fromkeys(("query_id", "lang", "genre", "arm", "opponent", "rater"), pl.String),
    "score": pl.Float64,  # of `arm`: 1 won, 0 lost, 0.5 a tie
}
SCORES = {"a": 1.0, "tie": 0.5, "b": 0.0}  # of the first arm
RANK = {**dict.fromkeys(("query_id", "lang", "rater", "arm"), pl.String), "rank": pl.Float64}
RATING = {**dict.fromkeys(("query_id", "lang", "rater", "arm", "dimension"), pl.String), "value": pl.Float64}


@dataclass(frozen=True)
class Judgments:
    """`comparisons`, `ranks` and `ratings`: a row per pair of arms, per ranked arm, per rated arm and dimension.

    scale: the lowest and the highest rating that raters could give.
    """

    comparisons: pl.DataFrame
    ranks: pl.DataFrame
    ratings: pl.DataFrame
    scale: tuple[float, float] = PAPERS_SCALE

    def of(self, arms: Collection[str]) -> Judgments:
        """Keep what is about these arms only."""
        among = pl.col("arm").is_in(list(arms))
        pairs = self.comparisons.filter(among & pl.col("opponent").is_in(list(arms)))
        return replace(self, comparisons=pairs, ranks=self.ranks.filter(among), ratings=self.ratings.filter(among))


def collect_judgments(
    files: Sequence[Path],
    study: str,
    known: Collection[str] | None,
    langs: Mapping[str, str],
    scale: tuple[float, float] = PAPERS_SCALE,
) -> list[Judgment]:
    """Read the judgments of all files that count: no checks, abstentions or failures, none that was taken back, and
    one `id` once.

    Args:
        known: the arms that there are; None: whichever are judged.
        langs: language of the queries that were answered.
        scale: lowest and highest rating.

    Raises DataError with file and line for what cannot be used: numbers would be wrong without it, too.
    """
    read = _leave_out_repeats([(file, list(read_judgments(file, study))) for file in files])
    superseded = {judgment.supersedes for _, judgment in read if judgment.supersedes}
    once = {pair[1].id or number: pair for number, pair in enumerate(read)}
    counted = [(p, one) for p, one in once.values() if one.counts and (one.id is None or one.id not in superseded)]
    if not counted:
        raise DataError(f"judgments: {', '.join(map(str, files))}: holds no judgments")
    _check(counted, known, dict(langs), scale)
    return [judgment for _, judgment in counted]


def _leave_out_repeats(read: Sequence[tuple[Path, list[tuple[str, Judgment]]]]) -> list[tuple[str, Judgment]]:
    """Return the judgments of all files, those once that stand in several: a file named twice, or partial exports."""
    kept: list[tuple[str, Judgment]] = []
    earlier: set[Any] = set()
    for file, judgments in read:
        new = [(place, one) for place, one in judgments if _content(one) not in earlier]
        if repeats := len(judgments) - len(new):
            log.warning(
                "%s: %d of %d judgments stand in an earlier file too: counted once", file, repeats, len(judgments)
            )
        kept += new
        earlier.update(_content(one) for _, one in judgments)
    return kept


def _content(one: Judgment) -> Any:
    """Return what was said, of what and by whom, to tell whether two judgments are the same."""
    said: Any = one.arms, one.value
    if isinstance(one.value, list):
        said = frozenset(zip(one.arms, one.value, strict=False))  # of a failure, any length
    elif isinstance(one.value, dict):
        said = one.arms, frozenset(one.value.items())
    return one.id, one.query_id, one.lang, one.rater, one.kind, said, one.check, one.supersedes


def tabulate_judgments(
    judgments: Sequence[Judgment],
    arms: Sequence[str],
    genres: Mapping[str, str | None],
    scale: tuple[float, float] = PAPERS_SCALE,
) -> Judgments:
    """Return judgments as frames. A pair that a rater judged in both orders counts once, as a tie if the verdicts
    differ.

    Args:
        arms: in order; of two, the earlier is `arm` and the later `opponent`.
        genres: of the queries that were answered. A judgment's own genre comes first, and holds for all of its query.
    """
    genres = {**genres, **{one.query_id: one.genre for one in judgments if one.genre}}
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
        scale,
    )


def _check(
    judgments: Sequence[tuple[str, Judgment]],
    known: Collection[str] | None,
    langs: dict[str, str],
    scale: tuple[float, float],
) -> None:
    """Raise DataError for an unknown arm, a query of two languages or genres, a rating off the scale, and a rater's
    second word on the same thing.
    """
    places: dict[Any, str] = {}
    genres: dict[str, str] = {}
    for place, one in judgments:
        for arm in one.arms:
            if known is not None and arm not in known:
                raise DataError(f"{place}: arm '{arm}' is not in this study" + suggestion(arm, sorted(known)))
        for value, before in ((one.lang, langs), (one.genre, genres)):
            if value and before.setdefault(one.query_id, value) != value:
                raise DataError(f"{place}: query {one.query_id} is {value} here, {before[one.query_id]} before")
        if isinstance(one.value, dict):
            _check_scale(place, one.value, scale)
        for about in _subjects(one):
            key = one.query_id, one.rater, about
            if key in places:
                raise DataError(
                    f"{place}: rater {one.rater} has judged {one.query_id} at {places[key]} already; remove one of "
                    "them (in the authors' exports the rater is the file's name)"
                )
            places[key] = place


def _check_scale(place: str, ratings: Mapping[str, float], scale: tuple[float, float]) -> None:
    low, high = scale
    for dimension, rating in ratings.items():
        if not low <= rating <= high:
            raise DataError(
                f"{place}: {dimension} is {rating:g}, and ratings go from {low:g} to {high:g}; "
                "name the scale that the raters had, such as rating.scale=[1,10]"
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
        yield one.query_id, one.lang, genres.get(one.query_id), a, b, one.rater, score
