"""Verdicts of people and judges, in every shape they come in, as comparisons of two arms.

Shapes: this project's own records, `{query_id, lang, kind: ranking|pairwise|rating, arms, value, rater, …}`; verdicts
on pairs, `{query_id, lang, arm_a, arm_b, winner: a|b|tie, rater}`; the ranking export of COIG-Writer's authors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import polars as pl

from coig.config import DataError, suggestion
from coig.evaluation.authors import arm_of_file, lang_of_file, query_id
from coig.fields import LANGUAGES
from coig.rows import Damaged, read_rows
from coig.study import arm_order

COMPARISON = {
    **dict.fromkeys(("query_id", "lang", "genre", "arm", "opponent", "rater"), pl.String),
    "score": pl.Float64,  # of `arm`: 1 won, 0 lost, 0.5 a tie
}
RANK = {**dict.fromkeys(("query_id", "lang", "rater", "arm"), pl.String), "rank": pl.Float64}
RATING = {**dict.fromkeys(("query_id", "lang", "rater", "arm", "dimension"), pl.String), "value": pl.Float64}
SCORES = {"a": 1.0, "b": 0.0, "tie": 0.5}
LARGEST_RATING = 3


@dataclass(frozen=True)
class Judgment:
    """One rater's word on one query. `value`: ranks of the arms, 1 the best; a score of the first; ratings by name."""

    place: str
    query_id: str
    lang: str
    genre: str | None
    kind: str
    arms: tuple[str, ...]
    value: Any
    rater: str


@dataclass(frozen=True)
class Judgments:
    """`comparisons`, `ranks` and `ratings`: a row per pair of arms, per ranked arm, per rated arm and dimension."""

    comparisons: pl.DataFrame
    ranks: pl.DataFrame
    ratings: pl.DataFrame

    def arms(self) -> set[str]:
        """Those that anything is said about."""
        return {*self.comparisons["arm"], *self.comparisons["opponent"], *self.ratings["arm"]}

    def of(self, arms: Collection[str]) -> Judgments:
        """What is about these arms only."""
        among = pl.col("arm").is_in(list(arms))
        pairs = self.comparisons.filter(among & pl.col("opponent").is_in(list(arms)))
        return Judgments(pairs, self.ranks.filter(among), self.ratings.filter(among))


def read_judgments(
    files: Sequence[Path], study: str, known: Collection[str] | None, queries: Mapping[str, tuple[str, str | None]]
) -> Judgments:
    """All files together. A pair that a rater judged in both orders counts once, as a tie if the verdicts differ.

    Args:
        known: the arms that there are; None: whichever are judged.
        queries: language and genre of those that were answered; a judgment may name a genre of its own.

    Raises DataError with file and line for what cannot be used: numbers would be wrong without it, too.
    """
    judgments = [one for file in files for one in _judgments(file, study)]
    if not judgments:
        raise DataError(f"judgments: {', '.join(map(str, files))}: holds no judgments")
    _check(judgments, known, {query: lang for query, (lang, _) in queries.items()})
    nowhere = (None, None)
    comparisons = [
        row for one in judgments for row in _comparisons(one, one.genre or queries.get(one.query_id, nowhere)[1])
    ]
    ranks = [
        (one.query_id, one.lang, one.rater, arm, rank)
        for one in judgments
        if one.kind == "ranking"
        for arm, rank in zip(one.arms, one.value, strict=True)
    ]
    ratings = [
        (one.query_id, one.lang, one.rater, one.arms[0], dimension, value)
        for one in judgments
        if one.kind == "rating"
        for dimension, value in one.value.items()
    ]
    keys = [key for key in COMPARISON if key != "score"]
    compared = pl.DataFrame(comparisons, schema=COMPARISON, orient="row").group_by(keys, maintain_order=True)
    return Judgments(
        compared.agg(score=((pl.col("score") - 0.5).sum().sign() + 1) / 2),
        pl.DataFrame(ranks, schema=RANK, orient="row"),
        pl.DataFrame(ratings, schema=RATING, orient="row"),
    )


def _judgments(file: Path, study: str) -> Iterator[Judgment]:
    for place, row in read_rows(file):
        if isinstance(row, Damaged):
            raise DataError(f"{place}: {row.reason}")
        try:
            yield _judgment(row if isinstance(row, dict) else {}, place, file, study)
        except ValueError as error:
            raise DataError(f"{place}: {error}") from None


def _judgment(row: dict[str, Any], place: str, file: Path, study: str) -> Judgment:
    """Raises ValueError with what is wrong and how to mend it."""
    if "ranked_responses" in row:
        return _authors_ranking(row, place, file)
    if row.get("study") not in (None, study):
        raise ValueError(f"is of study {row['study']}, not {study}; name its file in that study's evaluation")
    query, rater = _text(row, "query_id"), _text(row, "rater")
    if row.get("lang") not in LANGUAGES:
        raise ValueError(f"lang: {row.get('lang')!r} is none of {', '.join(LANGUAGES)}")
    genre = row.get("genre") if isinstance(row.get("genre"), str) else None
    arms: tuple[str, ...]
    if "winner" in row:
        arms, kind, value = (_text(row, "arm_a"), _text(row, "arm_b")), "pairwise", row["winner"]
    elif str(row.get("kind")) in VALUES:
        arms, kind, value = _arms(row), str(row["kind"]), row.get("value")
    else:
        raise ValueError(
            "is no judgment: give kind (ranking, pairwise or rating), arms and value; or arm_a, arm_b and winner; "
            "or the authors' ranked_responses"
        )
    if len(set(arms)) < len(arms):
        twice = next(arm for arm in arms if arms.count(arm) > 1)
        raise ValueError(f"names arm '{twice}' twice; a judgment names an arm once")
    return Judgment(place, query, str(row["lang"]), genre, kind, arms, VALUES[kind](arms, value), rater)


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str | int) or not str(value).strip():
        raise ValueError(f"{key}: {'missing' if key not in row else 'empty or no text'}")
    return str(value)


def _arms(row: dict[str, Any]) -> tuple[str, ...]:
    arms = row.get("arms")
    if not isinstance(arms, list) or not arms or not all(isinstance(arm, str) and arm for arm in arms):
        raise ValueError("arms: must be a list of names")
    return tuple(arms)


def _ranks(arms: tuple[str, ...], value: Any) -> list[float]:
    if len(arms) < 2:
        raise ValueError("arms: a ranking needs at least two")
    ranks = value if isinstance(value, list) else []
    if len(ranks) != len(arms) or not all(_is_number(rank) and rank >= 1 for rank in ranks):
        raise ValueError(f"value: must be a rank from 1 on for each of the {len(arms)} arms; equal ranks are ties")
    return [float(rank) for rank in ranks]


def _score(arms: tuple[str, ...], value: Any) -> float:
    if len(arms) != 2:
        raise ValueError(f"arms: a verdict on a pair is about two, not {len(arms)}")
    if not isinstance(value, str) or value not in SCORES:
        raise ValueError(f"winner: {value!r} is none of {', '.join(SCORES)}")
    return SCORES[value]


def _ratings(arms: tuple[str, ...], value: Any) -> dict[str, float]:
    if len(arms) != 1:
        raise ValueError(f"arms: a rating is about one, not {len(arms)}")
    ratings = value if isinstance(value, dict) else {"overall preference": value}
    if not ratings:
        raise ValueError("value: holds no rating")
    for dimension, rating in ratings.items():
        if not _is_number(rating) or not 0 <= rating <= LARGEST_RATING:
            raise ValueError(f"value: {dimension} is {rating!r}; ratings are 0 to {LARGEST_RATING}")
    return {dimension: float(rating) for dimension, rating in ratings.items()}


VALUES: dict[str, Callable[[tuple[str, ...], Any], Any]] = {"ranking": _ranks, "pairwise": _score, "rating": _ratings}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _authors_ranking(row: dict[str, Any], place: str, file: Path) -> Judgment:
    """Of the authors' page: arm and language stand in the names of the files that the answers came from."""
    ranked = row["ranked_responses"]
    if not isinstance(ranked, list) or not all(isinstance(one, dict) for one in ranked):
        raise ValueError("ranked_responses: must be a list of {rank, source_file, …}")
    names = [_text(one, "source_file") for one in ranked]
    arms, langs = tuple(arm_of_file(name) for name in names), {lang_of_file(name) for name in names}
    if len(langs) != 1:
        raise ValueError(f"ranks answers in {' and '.join(sorted(langs))} together")
    if len(set(arms)) < len(arms):
        twice = next(arm for arm in arms if arms.count(arm) > 1)
        raise ValueError(f"ranks arm '{twice}' twice")
    ranks = _ranks(arms, [one.get("rank") for one in ranked])
    lang = langs.pop()
    query = query_id(lang, _text(row, "question_id"))
    return Judgment(place, query, lang, None, "ranking", arms, ranks, file.stem)


def _check(judgments: Sequence[Judgment], known: Collection[str] | None, langs: dict[str, str]) -> None:
    """Raises DataError for an unknown arm, a query of two languages, and a rater's second word on the same thing."""
    places: dict[Any, str] = {}
    for one in judgments:
        for arm in one.arms:
            if known is not None and arm not in known:
                raise DataError(f"{one.place}: arm '{arm}' is not in this study" + suggestion(arm, sorted(known)))
        if langs.setdefault(one.query_id, one.lang) != one.lang:
            raise DataError(f"{one.place}: query {one.query_id} is {one.lang} here, {langs[one.query_id]} before")
        for about in _subjects(one):
            first = places.setdefault((one.query_id, one.rater, about), one.place)
            if first != one.place:
                raise DataError(
                    f"{one.place}: rater {one.rater} has judged {one.query_id} at {first} already; remove one of them "
                    "(in the authors' exports the rater is the file's name)"
                )


def _subjects(one: Judgment) -> list[Any]:
    """What a rater may judge once: an arm's rank and its ratings; a pair in one order, unless it was ranked."""
    if one.kind == "pairwise":
        return [one.arms]
    if one.kind == "rating":
        return [("rating", one.arms[0], dimension) for dimension in one.value]
    return [("rank", arm) for arm in one.arms] + list(permutations(one.arms, 2))


def _comparisons(one: Judgment, genre: str | None) -> Iterator[tuple[Any, ...]]:
    """A row per pair, the arm that comes first in a study's order as `arm`."""
    if one.kind == "pairwise":
        pairs = [(*one.arms, one.value)]
    elif one.kind == "ranking":
        both = combinations(zip(one.arms, one.value, strict=True), 2)
        pairs = [(a, b, 0.5 if rank == other else float(rank < other)) for (a, rank), (b, other) in both]
    else:
        pairs = []
    for a, b, score in pairs:
        if arm_order(a) > arm_order(b):
            a, b, score = b, a, 1 - score
        yield one.query_id, one.lang, genre, a, b, one.rater, score
