"""Tabulate what model judges said: verdicts on pairs in every order, probes, failures, and what a judge is."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl

from coig.errors import DataError
from coig.evaluation.preferences.judgments import sort_judgments
from coig.records.judgment import JudgeFacts, Judgment, read_judgments
from coig.records.preference import CHOSEN, REJECTED
from coig.text.language_codes import LANGUAGES

CALL: dict[str, Any] = {
    **dict.fromkeys(("judge", "query_id", "lang", "genre", "arm", "opponent"), pl.String),
    "score": pl.Float64,  # of `arm`: 1 won, 0 lost, 0.5 a tie
    "soft": pl.Float64,  # the judge's probability that `arm` wins; the score if it gives none
    "arm_first": pl.Boolean,  # whether `arm` stood before `opponent`; null for ratings
    "order": pl.String,  # the arms as shown
}
FAILED: dict[str, Any] = {key: CALL[key] for key in ("judge", "query_id", "lang", "genre", "arm", "opponent")}
PROBE: dict[str, Any] = {
    **dict.fromkeys(("judge", "query_id", "lang", "check"), pl.String),
    "right": pl.Float64,  # 1 if the judge was right, 0 if wrong; 0.5 a tie between an intact and a damaged answer
}
ASKED: dict[str, Any] = {
    **dict.fromkeys(("judge", "query_id", "lang", "arm"), pl.String),
    "attempts": pl.Int64,
    "unread": pl.Int64,  # attempts whose reply could not be read
    "failed": pl.Boolean,  # no reply could be read
}
JUDGES: dict[str, Any] = {
    **dict.fromkeys(("lang", "judge", "model", "prompt", "sampling", "asked"), pl.String),
    **dict.fromkeys(("calls", "prompt_tokens", "reply_tokens"), pl.Int64),
}


@dataclass(frozen=True)
class JudgeVerdicts:
    """What model judges said, as frames.

    `calls` (columns as in CALL) has a row for each pair that a call compares; the orders of one pair are rows of their
    own. `failed` (FAILED) has a row for each pair that a call without a verdict was about. `probes` (PROBE) has a row
    per check, `asked` (ASKED) a row per call and arm, `judges` (JUDGES) one per language and judge.
    """

    calls: pl.DataFrame
    failed: pl.DataFrame
    probes: pl.DataFrame
    asked: pl.DataFrame
    judges: pl.DataFrame

    def of(self, arms: Collection[str]) -> JudgeVerdicts:
        """Return calls and failures whose two arms are both given, `asked` of these arms, and all probes and judges."""
        among = pl.col("arm").is_in(list(arms))
        both = among & pl.col("opponent").is_in(list(arms))
        calls, failed = self.calls.filter(both), self.failed.filter(both)
        return replace(self, calls=calls, failed=failed, asked=self.asked.filter(among))

    def by_pair(self) -> pl.DataFrame:
        """Return a row for each judge and pair of answers, in which the judge's calls on the pair are put together.

        Columns are judge, query_id, lang, genre, arm, opponent, `soft`, the calls' mean, and `score`: 1 if more calls
        said that `arm` won, 0 if more said that it lost, ½ if as many.
        """
        return self.calls.group_by(list(FAILED), maintain_order=True).agg(
            pl.col("soft").mean(), score=((pl.col("score") - 0.5).sum().sign() + 1) / 2
        )

    def predictors(self) -> pl.DataFrame:
        """Return `by_pair` without `score`, and a row with `soft` ½ for each pair on which all calls of a judge failed.

        Without these rows a win rate would be that of the prompts which the judge can judge.
        """
        known = self.by_pair().drop("score")
        in_vain = self.failed.unique(maintain_order=True).join(
            known, on=list(FAILED), how="anti", nulls_equal=True, maintain_order="left"
        )
        return pl.concat([known, in_vain.select(*FAILED, soft=pl.lit(0.5))])


def tabulate_judges(
    judgments: Sequence[Judgment], arms: Sequence[str], genres: Mapping[str, str | None]
) -> JudgeVerdicts:
    """Tabulate the records of model judges.

    Args:
        judgments: of judges alone, checks and failures included.
        arms: names of all judged arms, in order; of two, the earlier is `arm` and the later `opponent`.
        genres: genre of each answered query, by id. A genre in any judgment of a query overrides it.

    Raises DataError if the records of one judge have different models, prompts or samplings.
    """
    genres = {**genres, **{one.query_id: one.genre for one in judgments if one.genre}}
    places = {arm: number for number, arm in enumerate(arms)}
    counted = [one for one in judgments if one.is_evidence]
    rows = [row for one in counted for row in _tabulate_call(one, places, genres)]
    rows += _tabulate_ratings([one for one in counted if isinstance(one.value, dict)], places, genres)
    calls = pl.DataFrame(rows, schema=CALL, orient="row")
    asked = [row for one in judgments if one.check is None for row in _count_attempts(one)]
    failed = [
        (one.rater, one.query_id, one.lang, genres.get(one.query_id), *pair)
        for one in judgments
        if one.failure is not None and one.check is None
        for pair in combinations(sorted(one.arms, key=lambda arm: places[arm]), 2)
    ]
    return JudgeVerdicts(
        calls,
        pl.DataFrame(failed, schema=FAILED, orient="row"),
        pl.concat([_list_probes(judgments), _repeats(judgments, places, calls)]),
        pl.DataFrame(asked, schema=ASKED, orient="row"),
        pl.DataFrame(_describe_judges(judgments), schema=JUDGES, orient="row"),
    )


def read_yardstick_verdicts(files: Sequence[Path]) -> JudgeVerdicts | None:
    """Read judges' verdicts on pairs whose better answer is known, arms CHOSEN and REJECTED; None without verdicts.

    Of several verdicts with one `id`, the last one counts. Raises DataError with file and line for a verdict on other
    arms.
    """
    read = [pair for file in files for pair in read_judgments(file, None)]
    for place, one in read:
        if set(one.arms) != {CHOSEN, REJECTED}:
            raise DataError(f"{place}: a yardstick's arms are {CHOSEN} and {REJECTED}, not {', '.join(one.arms)}")
    once = {one.id or number: one for number, (_, one) in enumerate(read)}
    return tabulate_judges(sort_judgments(once.values()), (CHOSEN, REJECTED), {}) if once else None


def _tabulate_call(
    one: Judgment, places: Mapping[str, int], genres: Mapping[str, str | None]
) -> Iterator[tuple[Any, ...]]:
    """Yield a row of CALL for each pair of arms that a call compares; none for ratings."""
    shown = one.order or one.arms
    for arm, other, score in one.pairs():
        soft = score if one.soft is None else one.soft
        if places[arm] > places[other]:
            arm, other, score, soft = other, arm, 1 - score, 1 - soft
        first = shown.index(arm) < shown.index(other)
        facts = one.rater, one.query_id, one.lang, genres.get(one.query_id), arm, other
        yield *facts, score, soft, first, " ".join(shown)


def _tabulate_ratings(
    ratings: Sequence[Judgment], places: Mapping[str, int], genres: Mapping[str, str | None]
) -> Iterator[tuple[Any, ...]]:
    """Yield a row of CALL for each judge, query and pair of arms whose answers the judge rated, each by itself.

    The soft verdict is the logistic function of the difference of the arms' mean ratings, as in a reward model fitted
    to pairs (Bradley & Terry 1952, Biometrika 39:324).
    """
    means: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for one in ratings:
        assert isinstance(one.value, dict)
        of_query = means.setdefault((one.rater, one.query_id, one.lang), {})
        of_query.setdefault(one.arms[0], []).append(fmean(one.value.values()))
    for (judge, query, lang), rated in means.items():
        for arm, other in combinations(sorted(rated, key=lambda name: places[name]), 2):
            difference = fmean(rated[arm]) - fmean(rated[other])
            score = 0.5 if difference == 0 else float(difference > 0)
            soft = 1 / (1 + math.exp(-max(-50.0, min(50.0, difference))))
            yield judge, query, lang, genres.get(query), arm, other, score, soft, None, ""


def _list_probes(judgments: Sequence[Judgment]) -> pl.DataFrame:
    """Return a row of PROBE for each identical pair and each planted defect that a judge judged; failures are left out.

    `right` is 1 for a tie of an identical pair, else 0. For a defect it is 1 if the intact answer, which is the first,
    won, ½ for a tie, else 0.
    """
    rows = []
    for one in judgments:
        if one.check in (None, "repeat") or one.failure is not None or one.kind != "pairwise":
            continue
        intact = {"a": 1.0, "tie": 0.5, "b": 0.0}[str(one.value)]
        right = float(one.value == "tie") if one.check == "identical" else intact
        rows.append((one.rater, one.query_id, one.lang, one.check, right))
    return pl.DataFrame(rows, schema=PROBE, orient="row")


def _repeats(judgments: Sequence[Judgment], places: Mapping[str, int], calls: pl.DataFrame) -> pl.DataFrame:
    """Return a row of PROBE for each pair that a judge judged again in the same order.

    `right` is 1 for the same verdict, 0 for the opposite one, ½ if one of the two is a tie. Repeats without an earlier
    call in `calls` are left out.
    """
    again = [one for one in judgments if one.check == "repeat" and one.failure is None]
    rows = pl.DataFrame([row for one in again for row in _tabulate_call(one, places, {})], schema=CALL, orient="row")
    keys = ["judge", "query_id", "lang", "arm", "opponent", "order"]
    both = rows.join(calls, on=keys, suffix="_before", maintain_order="left")
    right = 1 - (pl.col("score") - pl.col("score_before")).abs()
    return both.select("judge", "query_id", "lang", check=pl.lit("repeat"), right=right)


def _count_attempts(one: Judgment) -> Iterator[tuple[Any, ...]]:
    """Yield a row of ASKED for each arm of a call; a call that does not record its attempts had one."""
    failed = one.failure is not None
    attempts = one.attempts or 1
    for arm in one.arms:
        yield one.rater, one.query_id, one.lang, arm, attempts, attempts if failed else attempts - 1, failed


def _describe_judges(judgments: Sequence[Judgment]) -> list[tuple[Any, ...]]:
    """Return a row of JUDGES for each judge and language, sorted by name, Chinese first.

    `calls` counts all records, checks and failures too; `asked` lists the kinds of those that are no checks. Raises
    DataError if the records of one judge have different models, prompts or samplings.
    """
    by_judge: dict[str, list[Judgment]] = {}
    for one in judgments:
        by_judge.setdefault(one.rater, []).append(one)
    rows = []
    for name in sorted(by_judge):
        judge = _find_facts(name, by_judge[name])
        sampling = json.dumps(judge.sampling, sort_keys=True) if judge and judge.sampling else None
        for lang in LANGUAGES:
            if own := [one for one in by_judge[name] if one.lang == lang]:
                asked = ", ".join(sorted({one.kind for one in own if one.check is None}))
                tokens = (sum(getattr(one, key) or 0 for one in own) for key in ("prompt_tokens", "reply_tokens"))
                rows.append(
                    (lang, name, judge and judge.model, judge and judge.prompt, sampling, asked, len(own), *tokens)
                )
    return rows


def _find_facts(name: str, own: Sequence[Judgment]) -> JudgeFacts | None:
    """Return the facts that a judge's records give of it (None if none); raise DataError if these differ."""
    facts = {json.dumps(one.judge and one.judge.model_dump(), sort_keys=True): one.judge for one in own}
    if len(facts) > 1:
        first, second = list(facts)[:2]
        raise DataError(
            f"judgments: {name} is two judges, {first} and {second}; a changed judge is another judge, so give its "
            "records another rater"
        )
    return next(iter(facts.values()))
