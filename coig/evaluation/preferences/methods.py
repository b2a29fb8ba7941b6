"""Describe how people judged, as the paragraph that a paper needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean, median

from coig.display.numbers import number, percent
from coig.records.judgment import Judgment
from coig.records.judgment_database import Collected
from coig.study.people import (
    Estimate,
    RaterSummary,
    count_abstentions,
    estimate_agreement,
    estimate_position_effect,
    summarize_rater,
)

ASKED = {
    "ranking": "ranked all answers to a query, with ties allowed",
    "pairwise": "compared two answers to a query at a time, with ties allowed",
    "rating": "rated each answer to a query",
}
PARTIAL = "ranked the best answers to a query, with ties allowed and the others left unordered"


def find_flagged(people: Collected) -> list[str]:
    """Return the names of the raters whose checks, if there are `people.least`, have a mean below `people.flag_below`.

    Both limits were fixed before people judged. The order is that of the raters' first judgments.
    """
    return [one.rater for one in _summarize(people) if one.flagged]


def describe_methods(people: Collected) -> str:
    """Return a paragraph on raters, overlap, order, time, agreement, abstentions, checks and flagged raters.

    At least one judgment must count.
    """
    counted = [one for one in people.judgments if one.is_evidence]
    raters = [one for one in _summarize(people) if one.judged]
    per_query = [len(names) for names in _raters_by_query(counted).values()]
    partial = any(one.placed is not None for one in counted)
    asked = PARTIAL if partial else ASKED[counted[0].kind]
    sentences = [
        f"{_count(len(raters), 'rater')} {asked}, blind to the arms, for {_count(len(per_query), 'query', 'queries')} "
        f"({number(fmean(per_query), 1)} raters per query on average, {min(per_query)} to {max(per_query)}).",
    ]
    if people.practice:
        sentences.append("Before their first query they practised on examples, with feedback.")
    if any(one.order for one in counted):
        sentences.append(
            "The order of the answers was drawn for each rater so that each arm stood in each place equally often "
            "(Williams design)."
        )
    if seconds := [one.seconds for one in raters if one.seconds is not None]:
        too_fast = percent(_mean(one.too_fast for one in raters))
        sentences.append(
            f"Raters' median active time for a judgment was {number(median(seconds), 0)} s, without pauses of over "
            f"a minute; {too_fast} % of judgments came faster than 30 Chinese or 90 English characters a second."
        )
    sentences += [_describe("Krippendorff's ordinal α was", estimate_agreement(counted), 1, "")]
    position = estimate_position_effect(counted)
    sentences += [_describe("The answer shown first won", position, 100, " % of its comparisons")]
    return " ".join(filter(None, [*sentences, _describe_abstentions(people.judgments), _describe_checks(people)]))


def _summarize(people: Collected) -> list[RaterSummary]:
    """Return a summary of each rater, in the order of their first judgments."""
    names = dict.fromkeys(one.rater for one in people.judgments)
    return [summarize_rater(name, people.judgments, people.least, people.flag_below) for name in names]


def _raters_by_query(counted: Sequence[Judgment]) -> dict[str, set[str]]:
    """Return the names of each query's raters, by the query's id."""
    raters: dict[str, set[str]] = {}
    for one in counted:
        raters.setdefault(one.query_id, set()).add(one.rater)
    return raters


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _describe(words: str, found: Estimate | None, factor: float, unit: str) -> str:
    """Return a sentence with an estimate times `factor` and its interval; empty if the estimate is unknown.

    Args:
        words: begins the sentence. unit: follows the number.
    """
    if found is None:
        return ""
    if found.low is None or found.high is None:
        return f"{words} {number(factor * found.value)}{unit}."
    ends = f"{number(factor * found.low)} to {number(factor * found.high)}"
    return f"{words} {number(factor * found.value)}{unit} (95 % interval over queries {ends})."


def _describe_abstentions(judgments: Sequence[Judgment]) -> str:
    """Return a sentence with the number of abstentions of each arm, the most first, or that no rater abstained."""
    by_arm = Counter({arm: reasons.total() for arm, reasons in count_abstentions(judgments).items()})
    if not by_arm:
        return "No rater abstained."
    told = ", ".join(f"{arm} {count}" for arm, count in sorted(by_arm.items(), key=lambda one: (-one[1], one[0])))
    return f"Abstentions, which are no ties and count for no arm: {told}."


def _describe_checks(people: Collected) -> str:
    """Return sentences on the checks of the raters' care and the number of flagged raters, or that none was checked."""
    kinds = Counter(one.check for one in people.judgments if one.check and one.kind != "abstention")
    if not kinds:
        return "Raters' care was not checked."
    care = _mean(one.care for one in people.judgments)
    flagged = len(find_flagged(people))
    told = ", ".join(f"{str(kind).replace('_', ' ')} {count}" for kind, count in sorted(kinds.items(), key=str))
    return (
        f"Of {kinds.total()} checks ({told}), which are in no result, {percent(care)} % were passed. By a rule fixed "
        f"beforehand (at least {people.least} checks, fewer than {percent(people.flag_below)} % passed) "
        f"{_count(flagged, 'rater was', 'raters were')} flagged; results are with all raters"
        f"{', and win rates also without the flagged' if flagged else ''}."
    )


def _count(count: int, one: str, more: str | None = None) -> str:
    """Return a number with its noun, such as "1 rater" or "2 raters"; `more` is the plural if it is not one + s."""
    return f"{count} {one if count == 1 else more or one + 's'}"
