"""Read the judgments of people and model judges, and tabulate them as verdicts, ranks and ratings."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl

from coig.errors import DataError, suggestion
from coig.records.judgment import Judgment, read_judgments
from coig.text.language_codes import LANGUAGES

log = logging.getLogger(__name__)
PAPER_SCALE = (0.0, 3.0)
VERDICT = {
    **dict.fromkeys(("query_id", "lang", "genre", "arm", "opponent", "rater"), pl.String),
    "score": pl.Float64,  # of `arm`: 1 won, 0 lost, 0.5 a tie
}
RANK = {**dict.fromkeys(("query_id", "lang", "rater", "arm"), pl.String), "rank": pl.Float64}
RATING = {**dict.fromkeys(("query_id", "lang", "rater", "arm", "dimension"), pl.String), "value": pl.Float64}


@dataclass(frozen=True)
class Judgments:
    """Judgments as three frames, and the scale of the ratings.

    `verdicts` (columns as in VERDICT) has a row per rater's comparison of two arms' answers to a query. A ranking gives
    a verdict for each of its pairs. `ranks` (RANK) has a row per ranked answer, 1 is the best. `ratings` (RATING) has a
    row per rated answer and dimension. `scale` is the lowest and the highest rating that raters could give. `judges`
    are the raters that are models.
    """

    verdicts: pl.DataFrame
    ranks: pl.DataFrame
    ratings: pl.DataFrame
    scale: tuple[float, float] = PAPER_SCALE
    judges: frozenset[str] = frozenset()

    def of(self, arms: Collection[str]) -> Judgments:
        """Return the verdicts whose two arms are both given, and the ranks and ratings of the given arms."""
        among = pl.col("arm").is_in(list(arms))
        pairs = self.verdicts.filter(among & pl.col("opponent").is_in(list(arms)))
        return replace(self, verdicts=pairs, ranks=self.ranks.filter(among), ratings=self.ratings.filter(among))

    def on_queries(self, queries: Collection[str]) -> Judgments:
        """Return the judgments of answers to these queries, given by id."""
        on = pl.col("query_id").is_in(list(queries))
        verdicts, ranks, ratings = (frame.filter(on) for frame in (self.verdicts, self.ranks, self.ratings))
        return replace(self, verdicts=verdicts, ranks=ranks, ratings=ratings)

    def without_raters(self, raters: Collection[str]) -> Judgments:
        """Return the judgments of all other raters."""
        others = ~pl.col("rater").is_in(list(raters))
        return replace(
            self,
            verdicts=self.verdicts.filter(others),
            ranks=self.ranks.filter(others),
            ratings=self.ratings.filter(others),
        )


def add_judges(people: Judgments | None, judges: Sequence[Judgment], arms: Sequence[str]) -> Judgments | None:
    """Return people's judgments with the verdicts of model judges added; None if neither people nor models judged.

    The field `judges` of the result names the model judges. Their own ranks and ratings are not added.

    Args:
        people: None if nobody judged.
        judges: the records of model judges; their checks and failures are left out.
        arms: names of all judged arms, in order.
    """
    if not judges:
        return people
    own = tabulate_judgments([one for one in judges if one.is_evidence], arms, {})
    alone = people or replace(own, verdicts=own.verdicts.clear(), ranks=own.ranks.clear(), ratings=own.ratings.clear())
    return replace(alone, verdicts=pl.concat([alone.verdicts, own.verdicts]), judges=own.judges)


def collect_judgments(
    files: Sequence[Path],
    study: str,
    arms: Collection[str] | None,
    langs: Mapping[str, str],
    scale: tuple[float, float] = PAPER_SCALE,
    collected: Sequence[Judgment] = (),
) -> list[Judgment]:
    """Read the judgments that count from all files, and from those that annotate.py has `collected`.

    People's attention checks, abstentions, failures and superseded judgments are left out; a model judge's checks and
    failures stay, since they tell how good it is. Of several judgments with one `id`, the last one counts. A judgment
    that an earlier file also holds counts once, with a warning.

    Args:
        study: the study that the judgments must be about.
        arms: names of the arms that may be judged; None allows any.
        langs: the language of each answered query, by id.
        scale: lowest and highest rating.

    Raises DataError if nothing counts, and with file and line for a judgment that cannot be used.
    """
    read = _leave_out_repeats([(file, list(read_judgments(file, study))) for file in files])
    read += [(f"judgment {one.id} of {one.rater}", one) for one in collected]
    superseded = {judgment.supersedes for _, judgment in read if judgment.supersedes}
    once = {pair[1].id or number: pair for number, pair in enumerate(read)}
    valid = [(place, one) for place, one in once.values() if one.id is None or one.id not in superseded]
    counted = [(place, one) for place, one in valid if one.is_evidence or one.source == "judge"]
    if not counted:
        raise DataError(f"judgments: {', '.join(map(str, files)) or 'the database'}: holds no judgments")
    _check(counted, arms, dict(langs), scale)
    return [judgment for _, judgment in counted]


def sort_judgments(judgments: Iterable[Judgment]) -> list[Judgment]:
    """Sort judgments by language, query, rater and what was shown, so that no result depends on the order of lines.

    Judges answer several calls at once, and each line is written when its reply has come.
    """

    def key(one: Judgment) -> tuple[Any, ...]:
        """Return the sort key of a judgment."""
        shown = one.kind, one.arms, one.order or (), one.check or "", one.id or "", str(one.value)
        return LANGUAGES.index(one.lang), one.query_id, one.rater, *shown

    return sorted(judgments, key=key)


def _leave_out_repeats(read: Sequence[tuple[Path, list[tuple[str, Judgment]]]]) -> list[tuple[str, Judgment]]:
    """Return the (place, judgment) pairs of all files, without judgments that an earlier file also holds.

    A warning counts what each file repeats. Repeats occur if a file is named twice, or if partial exports overlap.
    """
    kept: list[tuple[str, Judgment]] = []
    earlier: set[Any] = set()
    for file, judgments in read:
        new = [(place, one) for place, one in judgments if _content(one) not in earlier]
        if repeats := len(judgments) - len(new):
            log.warning(
                "%s: %d of %d judgments are also in an earlier file: counted once", file, repeats, len(judgments)
            )
        kept += new
        earlier.update(_content(one) for _, one in judgments)
    return kept


def _content(one: Judgment) -> Any:
    """Return a hashable key that is equal for two judgments by one rater that say the same, perhaps at another time.

    It has id, query, language, rater, kind, arms, value, check and supersedes; a ranking's order of arms is ignored.
    """
    said: Any = one.arms, one.value
    if isinstance(one.value, list):
        said = frozenset(zip(one.arms, one.value, strict=False))  # a failed ranking may have any length
    elif isinstance(one.value, dict):
        said = one.arms, frozenset(one.value.items())
    return one.id, one.query_id, one.lang, one.rater, one.kind, said, one.check, one.supersedes


def tabulate_judgments(
    judgments: Sequence[Judgment],
    arms: Sequence[str],
    genres: Mapping[str, str | None],
    scale: tuple[float, float] = PAPER_SCALE,
) -> Judgments:
    """Tabulate judgments as verdicts, ranks and ratings; a ranking also gives a verdict on each of its pairs.

    Every judgment counts, so leave out checks and failures before. If a rater judged a pair in both orders, the two
    become one verdict: the side that won more; a tie if neither did.

    Args:
        arms: names of all judged arms, in order; of two, the earlier is `arm` and the later `opponent`.
        genres: genre of each answered query, by id. A genre in any judgment of a query overrides it.
        scale: the lowest and the highest rating that raters could give.
    """
    genres = {**genres, **{one.query_id: one.genre for one in judgments if one.genre}}
    rows = [row for one in judgments for row in _tabulate_verdicts(one, arms, genres)]
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
    keys = [key for key in VERDICT if key != "score"]
    grouped = pl.DataFrame(rows, schema=VERDICT, orient="row").group_by(keys, maintain_order=True)
    return Judgments(
        grouped.agg(score=((pl.col("score") - 0.5).sum().sign() + 1) / 2),
        pl.DataFrame(ranks, schema=RANK, orient="row"),
        pl.DataFrame(ratings, schema=RATING, orient="row"),
        scale,
        frozenset(one.rater for one in judgments if one.source == "judge"),
    )


def _check(
    judgments: Sequence[tuple[str, Judgment]],
    arms: Collection[str] | None,
    langs: dict[str, str],
    scale: tuple[float, float],
) -> None:
    """Raise DataError for an unknown arm, a query with two languages or genres, or a rating outside the scale.

    Raise it also if a person judged one thing twice: a pair in one order, a ranked arm, an arm's dimension. A model
    judge may, and has scales of its own. Record each query's language in `langs`. `judgments` are (place, judgment)
    pairs.
    """
    places: dict[Any, str] = {}
    genres: dict[str, str] = {}
    for place, one in judgments:
        for arm in one.arms if one.check is None else ():
            if arms is not None and arm not in arms:
                raise DataError(f"{place}: arm '{arm}' is not in this study" + suggestion(arm, sorted(arms)))
        for value, before in ((one.lang, langs), (one.genre, genres)):
            if value and before.setdefault(one.query_id, value) != value:
                raise DataError(f"{place}: query {one.query_id} is {value} here, {before[one.query_id]} before")
        if one.source == "judge":
            continue
        if isinstance(one.value, dict):
            _check_scale(place, one.value, scale)
        for about in _subjects(one):
            key = one.query_id, one.rater, about
            if key in places:
                raise DataError(
                    f"{place}: rater {one.rater} has judged {one.query_id} at {places[key]} already; remove one of "
                    "them. In the authors' exports the rater is the file's name, or its folder's for ranked_results_…; "
                    "in a merged file give each row its `rater`"
                )
            places[key] = place


def _check_scale(place: str, ratings: Mapping[str, float], scale: tuple[float, float]) -> None:
    """Raise DataError, naming `place`, if a rating is outside the scale."""
    low, high = scale
    for dimension, rating in ratings.items():
        if not low <= rating <= high:
            raise DataError(
                f"{place}: {dimension} is {rating:g}, and ratings go from {low:g} to {high:g}; "
                "name the scale that the raters had, such as rating.scale=[1,10]"
            )


def _subjects(one: Judgment) -> list[Any]:
    """Return keys of what a judgment is about; a rater may judge each key once per query.

    A verdict on a pair has one key, its ordered pair, so that a rater may judge both orders. A ranking has a key for
    each arm and for each pair in both orders, a rating one for each dimension of its arm.
    """
    if isinstance(one.value, list):
        return [("rank", arm) for arm in one.arms] + list(permutations(one.arms, 2))
    if isinstance(one.value, dict):
        return [("rating", one.arms[0], dimension) for dimension in one.value]
    return [one.arms]


def _tabulate_verdicts(
    one: Judgment, arms: Sequence[str], genres: Mapping[str, str | None]
) -> Iterator[tuple[Any, ...]]:
    """Yield a row of VERDICT for each pair of arms that a judgment compares, the earlier in `arms` first.

    A rating compares none.
    """
    for a, b, score in one.pairs():
        if arms.index(a) > arms.index(b):
            a, b, score = b, a, 1 - score
        yield one.query_id, one.lang, genres.get(one.query_id), a, b, one.rater, score
