"""Summarize how people have judged: raters, time, checks, agreement, position, abstentions, detectable differences.

The leader's page shows these summaries while people judge, the report afterwards.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median

import numpy as np

from coig.records.judgment import Judgment
from coig.statistics.agreement import count_coincidences, krippendorff_alpha
from coig.statistics.intervals import FEWEST, Floats, bootstrap_weights, percentile_interval, share_interval
from coig.statistics.power import Design

FASTEST = {"zh": 30.0, "en": 90.0}  # characters that nobody reads in a second
MORE_QUERIES = 50
ASSUMED_AGREEMENT = 0.2  # correlation of two raters' verdicts, until it can be estimated


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval over queries; the interval is None for too few queries."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RaterSummary:
    """How one rater has judged. `judged`, without abstentions, and `abstained` count queries or pairs, not checks."""

    rater: str
    judged: int
    abstained: int
    seconds: float | None  # median active time of a judgment
    too_fast: float | None  # share of judgments that came faster than anybody reads
    checks: int
    care: float | None  # mean result of the checks, 0–1
    flagged: bool


@dataclass(frozen=True)
class Findable:
    """The smallest differences of two arms' win rate from one half that verdicts can find with 80 % power.

    All of it is about the judged pair of arms for which the verdicts can find least. `now` is the difference that its
    verdicts so far can find; the fields after it say what more verdicts could find.
    """

    queries: int  # on which the two arms were compared
    raters: float  # mean number of raters of the pair on such a query
    agreement: float | None  # correlation of two raters' verdicts; None: assumed
    now: float
    with_more_queries: float  # with 50 more, of which as large a share compares the two arms
    with_one_more_rater: float  # of each query


def summarize_rater(rater: str, judgments: Iterable[Judgment], least: int, flag_below: float) -> RaterSummary:
    """Return a summary of one rater's judgments.

    The ratings of all answers to one query count as one judgment. Means and medians of nothing are None.

    Args:
        judgments: those of all raters; others than this rater's are ignored.
        least, flag_below: the rater is flagged if at least `least` checks have a mean result below `flag_below`.
    """
    own = [one for one in judgments if one.rater == rater]
    pages = {(one.query_id, one.arms if one.kind == "pairwise" else ()): one for one in own if one.is_evidence}
    timed = [one for one in pages.values() if one.seconds is not None]
    read = [one for one in timed if one.characters]
    fast = [(one.characters or 0) > FASTEST[one.lang] * (one.seconds or 0) for one in read]
    care = [one.care for one in own if one.care is not None]
    return RaterSummary(
        rater=rater,
        judged=len(pages),
        abstained=len({(one.query_id, one.order) for one in own if one.kind == "abstention" and one.check is None}),
        seconds=median(one.seconds or 0.0 for one in timed) if timed else None,
        too_fast=fmean(fast) if fast else None,
        checks=len(care),
        care=fmean(care) if care else None,
        flagged=len(care) >= least and fmean(care) < flag_below,
    )


def estimate_agreement(judgments: Sequence[Judgment]) -> Estimate | None:
    """Estimate how far raters agree: Krippendorff's ordinal α of ranks, verdicts on pairs or ratings.

    An item is an answer (for ratings, one dimension of it) or a pair of answers; its interval resamples queries.
    Returns None if no item has two raters, or all raters said the same.
    """
    said: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in judgments:
        if isinstance(one.value, list):
            for arm, rank in zip(one.arms, one.value, strict=True):
                said[one.query_id, arm].append(rank)
        elif isinstance(one.value, dict):
            for dimension, rating in one.value.items():
                said[one.query_id, f"{one.arms[0]}\t{dimension}"].append(rating)
        else:
            for arm, other, score in one.pairs():
                low, high = sorted((arm, other))
                said[one.query_id, f"{low}\t{high}"].append(score if arm == low else 1 - score)
    units = [(query, values) for (query, _), values in said.items() if len(values) > 1]
    if len({value for _, values in units for value in values}) < 2:
        return None
    tables = count_coincidences(units)
    drawn = krippendorff_alpha(np.tensordot(bootstrap_weights(len(tables)), tables, axes=1))
    alpha = float(krippendorff_alpha(tables.sum(axis=0)[None])[0])
    return _estimate(alpha, percentile_interval(drawn[:, None]), len(tables))


def estimate_position_effect(judgments: Sequence[Judgment]) -> Estimate | None:
    """Estimate the win rate of the answer that was shown first against the others; 0.5 means no effect of position.

    Returns None if no judgment has both a recorded order and a comparison with the first answer.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for one in judgments:
        first = one.order[0] if one.order else None
        for arm, other, score in one.pairs():
            if first in (arm, other):
                scores[one.query_id].append(score if first == arm else 1 - score)
    if not scores:
        return None
    sums = np.array([[sum(values), len(values)] for values in scores.values()])
    drawn = bootstrap_weights(len(sums)) @ sums
    share = float(sums[:, 0].sum() / sums[:, 1].sum())
    limits = share_interval(drawn[:, :1] / drawn[:, 1:], np.array([share]), np.array([float(len(sums))]))
    return _estimate(share, limits, len(sums))


def _estimate(value: float, limits: tuple[Floats, Floats], clusters: int) -> Estimate:
    """Return `value` with its 95 % limits, (1,) each; without them below FEWEST clusters, the resampled queries."""
    [low], [high] = limits
    return Estimate(value, float(low), float(high)) if clusters >= FEWEST else Estimate(value, None, None)


def count_abstentions(judgments: Sequence[Judgment]) -> dict[str, Counter[str]]:
    """Return {arm: Counter of reasons} of abstentions; those at checks do not count, and raters' notes are cut off."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for one in judgments:
        if one.kind == "abstention" and one.check is None:
            for arm in one.arms:
                counted[arm][str(one.value).partition(": ")[0]] += 1
    return dict(counted)


def compute_findable(judgments: Sequence[Judgment]) -> Findable | None:
    """Compute which difference every judged pair of arms lets find, also with 50 more queries or one more rater.

    That is the largest difference of all pairs: a query on which a pair was not compared says nothing about it. Two
    raters' agreement is estimated from all comparisons that both made; below FEWEST such comparisons ASSUMED_AGREEMENT
    is used. Returns None without verdicts, as of ratings.
    """
    scores: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))  # pair → query
    for one in judgments:
        for arm, other, score in one.pairs():
            low, high = sorted((arm, other))
            scores[low, high][one.query_id].append(score - 0.5 if arm == low else 0.5 - score)
    if not scores:
        return None
    agreement = _correlate_raters([values for of_pair in scores.values() for values in of_pair.values()])
    design = Design(effect=0.6, raters=1, agreement=ASSUMED_AGREEMENT if agreement is None else agreement)
    all_queries = len({query for of_pair in scores.values() for query in of_pair})
    sizes = [(len(of_pair), fmean(map(len, of_pair.values()))) for of_pair in scores.values()]
    queries, raters = max(sizes, key=lambda size: design.detectable(*size))
    return Findable(
        queries=queries,
        raters=raters,
        agreement=agreement,
        now=design.detectable(queries, raters),
        with_more_queries=design.detectable(queries * (1 + MORE_QUERIES / all_queries), raters),
        with_one_more_rater=design.detectable(queries, raters + 1),
    )


def _correlate_raters(comparisons: Sequence[Sequence[float]]) -> float | None:
    """Return the correlation of two raters' verdicts, 0–1; None if fewer than FEWEST pairs of verdicts tell it.

    Each comparison of two answers has a verdict of each of its raters: ½ if the first won, −½ if it lost, 0 for a tie.
    """
    several = [verdicts for verdicts in comparisons if len(verdicts) > 1]
    products = [a * b for verdicts in several for a, b in combinations(verdicts, 2)]
    squares = [verdict * verdict for verdicts in several for verdict in verdicts]
    return max(0.0, min(1.0, fmean(products) / fmean(squares))) if len(products) >= FEWEST and any(squares) else None
