"""Win rates of people and judges together, and what a judge is worth in people's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.judges.bias import Traits, difference_in
from coig.evaluation.preferences.judges import JudgeVerdicts
from coig.statistics.calibration import calibrate
from coig.statistics.intervals import FEWEST, ROUNDING, Floats, wilson_interval
from coig.statistics.rectified import Rate, Strata, estimate_rate, narrower
from coig.statistics.worth import estimate_correlation, moments_of, worth_in_labels
from coig.text.language_codes import LANGUAGES

PAIR_OF_ARMS = dict.fromkeys(("lang", "arm", "opponent"), pl.String)
LIMITS = ("low", "high", "low_raters", "high_raters")
PEOPLE_AND_JUDGES: dict[str, Any] = {
    **PAIR_OF_ARMS,
    **dict.fromkeys(("prompts", "further"), pl.Int64),
    **dict.fromkeys(("people", *(f"people_{limit}" for limit in LIMITS)), pl.Float64),
    **dict.fromkeys(("rate", *LIMITS), pl.Float64),
    "width": pl.Float64,  # of the interval for these raters, as a share of people's alone
}
JUDGE_RATES: dict[str, Any] = {
    **PAIR_OF_ARMS,
    "judge": pl.String,
    "prompts": pl.Int64,
    **dict.fromkeys(("rate", "low", "high"), pl.Float64),
}
JUDGE_WORTH: dict[str, Any] = {
    **dict.fromkeys(("lang", "predictor"), pl.String),
    **dict.fromkeys(("correlation", "low", "high"), pl.Float64),
    **dict.fromkeys(("prompts", "further"), pl.Float64),  # median over pairs of arms
    **dict.fromkeys(("worth", "worth_low", "worth_high"), pl.Float64),  # labels per label, with the further prompts
    **dict.fromkeys(("replaces", "replaces_low", "replaces_high"), pl.Float64),  # of the prompts
    "at_most": pl.Float64,  # prompts replaced if the judges judged very many
    "raters": pl.Float64,  # mean number of a prompt
}
ALL, LENGTH_ALONE = "all judges", "length alone, no judge"
FEWEST_IN_STRATUM = 10  # prompts of either kind; smaller genres are one stratum
FEWEST_SHARED = 0.9  # of the prompts that the busiest judge has judged; a judge with fewer is no feature


@dataclass(frozen=True)
class Sample:
    """One pair of arms in one language: Q prompts that people judged and N further ones.

    scores: (Q, R), NaN where a rater did not judge. judged, others: (Q, F) and (N, F), features: judges' soft verdicts
    from one half, then the difference of length. queries: of the Q prompts.
    """

    scores: Floats
    judged: Floats
    others: Floats
    strata: Strata
    queries: tuple[str, ...]

    @property
    def means(self) -> Floats:
        """Return people's mean verdict on each prompt, (Q,)."""
        means: Floats = np.nanmean(self.scores, axis=1)
        return means


def people_and_judges(
    judges: JudgeVerdicts, verdicts: pl.DataFrame, traits: Traits, arms: Sequence[str]
) -> pl.DataFrame:
    """Estimate win rates from people and the `shared_judges` together; columns as in PEOPLE_AND_JUDGES.

    The rate of people alone stands beside it by the same formula, Student's t over prompts; the intervals of
    `compute_win_rates` are bootstrapped, and differ a little for few prompts. No interval is wider than people's alone.
    With fewer than FEWEST prompts that judges alone have judged, both rates are the same. A pair of arms that people
    judged on fewer than FEWEST prompts has no row.

    Args:
        verdicts: people's, columns as in VERDICT.
        arms: names, in the order of the rows.
    """
    by_pair = judges.predictors()
    rows = []
    for lang in LANGUAGES:
        names = shared_judges(by_pair.filter(lang=lang))
        for arm, opponent in combinations(arms, 2):
            own = verdicts.filter(lang=lang, arm=arm, opponent=opponent)
            if own["query_id"].n_unique() < FEWEST:
                continue
            scores = _matrix(own)[1]
            alone = estimate_rate(scores)
            sample = make_sample(by_pair, own, traits, names)
            together = _rectify(sample, len(names)) if sample and len(sample.others) >= FEWEST else alone
            rate = narrower(alone, together)
            row: dict[str, Any] = {"lang": lang, "arm": arm, "opponent": opponent, "prompts": len(scores)}
            row |= {"further": len(sample.others) if sample else 0, "people": float(alone.rate)}
            row |= {f"people_{name}": value for name, value in _limits(alone, len(scores)).items()}
            row |= {"rate": float(rate.rate), **_limits(rate, len(scores))}
            width = float(rate.half / alone.half) if alone.half >= ROUNDING else 1.0
            rows.append(row | {"width": width})
    return pl.DataFrame(rows, schema=PEOPLE_AND_JUDGES)


def _rectify(sample: Sample, judges: int) -> Rate:
    """Estimate a sample's win rate from people and from features, the first `judges` of which are judges' verdicts."""
    predictions = calibrate(sample.means, sample.judged, sample.others, judges, sample.strata)
    return estimate_rate(sample.scores, predictions, sample.strata)


def _limits(rate: Rate, prompts: int) -> dict[str, float | None]:
    """Return `low`, `high`, `low_raters` and `high_raters` of a rate, each 0–1.

    The first two are Wilson's limits if the verdicts do not vary; the last two are None if unknown.
    """
    centre, half, wide = float(rate.rate), float(rate.half), float(rate.half_raters)
    low, high = wilson_interval(centre * prompts, prompts) if half < ROUNDING else (centre - half, centre + half)
    limits: dict[str, float | None] = {"low": max(0.0, low), "high": min(1.0, high)}
    known = np.isfinite(wide) and wide >= ROUNDING
    return limits | {
        "low_raters": max(0.0, centre - wide) if known else None,
        "high_raters": min(1.0, centre + wide) if known else None,
    }


def shared_judges(by_pair: pl.DataFrame) -> list[str]:
    """Return the sorted names of the judges with at least FEWEST_SHARED times as many rows as the busiest judge.

    `by_pair` has the rows of one language; only these judges are features of one common predictor.
    """
    counts = by_pair.group_by("judge", maintain_order=True).len().sort("judge")
    most = counts["len"].max()
    return counts.filter(pl.col("len") >= FEWEST_SHARED * float(most or 0))["judge"].to_list()  # type: ignore[arg-type]


def _matrix(verdicts: pl.DataFrame) -> tuple[tuple[str, ...], Floats]:
    """Return the ids of the prompts, Q, and the scores, (Q, R), of one pair's verdicts; NaN where a rater gave none."""
    wide = verdicts.pivot(on="rater", index="query_id", values="score", aggregate_function="mean")
    return tuple(wide["query_id"]), wide.drop("query_id").cast(pl.Float64).to_numpy().astype(np.float64)


def make_sample(by_pair: pl.DataFrame, verdicts: pl.DataFrame, traits: Traits, judges: Sequence[str]) -> Sample | None:
    """Return the prompts of one pair of arms that all of `judges` judged; None if people judged fewer than FEWEST.

    If `judges` is empty, the prompts are those that any judge has judged.

    Args:
        by_pair: as `JudgeVerdicts.predictors` returns it.
        verdicts: people's on one pair of arms in one language, columns as in VERDICT.
    """
    [(lang, arm, opponent)] = verdicts.select("lang", "arm", "opponent").unique(maintain_order=True).rows()
    own = by_pair.filter(lang=lang, arm=arm, opponent=opponent)
    if set(judges) - set(own["judge"]):
        return None
    wide = own.pivot(on="judge", index=["query_id", "genre", "arm", "opponent"], values="soft").drop_nulls(judges)
    queries, scores = _matrix(verdicts)
    rows = {query: number for number, query in enumerate(queries)}
    known = wide["query_id"].is_in(list(queries))
    labelled, further = wide.filter(known), wide.filter(~known)
    if len(labelled) < FEWEST:
        return None
    features = [_features(part, traits, judges) for part in (labelled, further)]
    chosen = [rows[query] for query in labelled["query_id"]]
    strata = make_strata(labelled["genre"].to_list(), further["genre"].to_list())
    return Sample(scores[chosen], features[0], features[1], strata, tuple(labelled["query_id"]))


def _features(part: pl.DataFrame, traits: Traits, judges: Sequence[str]) -> Floats:
    """Return the judges' soft verdicts less ½ and, if answers were read, the difference of length, (rows, F).

    The difference is in doublings, as `difference_in` returns it.
    """
    columns = [part[name].to_numpy() - 0.5 for name in judges]
    if traits.of_answers is not None:
        columns.append(difference_in(part, traits, "doublings"))
    return np.stack(columns, axis=1) if columns else np.zeros((len(part), 0))


def make_strata(judged: Sequence[str | None], others: Sequence[str | None]) -> Strata:
    """Return the strata of the prompts by genre, of those people judged and of the others.

    Genres with fewer than FEWEST_IN_STRATUM prompts of either kind form one stratum. If that one is still as small, it
    is joined to the last of the other genres.
    """
    counts = {genre: min(judged.count(genre), others.count(genre)) for genre in dict.fromkeys(judged)}
    large = sorted(str(genre) for genre, count in counts.items() if genre is not None and count >= FEWEST_IN_STRATUM)
    numbers = {genre: number for number, genre in enumerate(large)}
    sides = [
        np.array([numbers.get(str(genre), len(large)) for genre in side], dtype=np.intp) for side in (judged, others)
    ]
    rest = [int((side == len(large)).sum()) for side in sides]
    if large and any(rest) and min(rest) < FEWEST_IN_STRATUM:
        sides = [np.minimum(side, len(large) - 1) for side in sides]
    return Strata(*sides)


def judge_rates(judges: JudgeVerdicts, arms: Sequence[str]) -> pl.DataFrame:
    """Compute each judge's own win rates, which nothing calibrates; columns as in JUDGE_RATES.

    The intervals are Student's t over prompts: for this judge and new prompts, never for people. They are null below
    FEWEST prompts.
    """
    rows = []
    places = {arm: number for number, arm in enumerate(arms)}
    grouped = judges.by_pair().group_by("lang", "arm", "opponent", "judge", maintain_order=True)
    for (lang, arm, opponent, judge), part in grouped:
        rate = estimate_rate(part["score"].to_numpy()[:, None]) if len(part) >= FEWEST else None
        limits = _limits(rate, len(part)) if rate else {}
        row: dict[str, Any] = {"lang": lang, "arm": arm, "opponent": opponent, "judge": judge, "prompts": len(part)}
        row |= {"rate": part["score"].mean(), "low": limits.get("low"), "high": limits.get("high")}
        rows.append(row)
    rows.sort(key=lambda row: (LANGUAGES.index(row["lang"]), places[row["arm"]], places[row["opponent"]], row["judge"]))
    return pl.DataFrame(rows, schema=JUDGE_RATES)


def worth_table(judges: JudgeVerdicts, verdicts: pl.DataFrame, traits: Traits, arms: Sequence[str]) -> pl.DataFrame:
    """Compute what judges are worth in people's labels, by language; columns as in JUDGE_WORTH.

    There is a row for each judge, for the `shared_judges` together and without each, and for the answers' length alone.
    It is missing if no pair of arms has FEWEST prompts that both people and these judges have judged.
    """
    by_pair = judges.predictors()
    rows = []
    for lang in LANGUAGES:
        own = verdicts.filter(lang=lang)
        for predictor, names in _predictors(by_pair.filter(lang=lang), traits):
            samples = [
                sample
                for arm, opponent in combinations(arms, 2)
                if len(part := own.filter(arm=arm, opponent=opponent))
                and (sample := make_sample(by_pair, part, traits, names)) is not None
            ]
            if samples:
                rows.append({"lang": lang, "predictor": predictor} | _worth(samples, len(names)))
    return pl.DataFrame(rows, schema=JUDGE_WORTH)


def _predictors(by_pair: pl.DataFrame, traits: Traits) -> list[tuple[str, list[str]]]:
    """Return (name, judges) of each predictor: each judge; the `shared_judges`, and these without each; no judge.

    Shared judges need to be two or more, and the predictor without a judge, the length alone, needs answers and some
    judge. `by_pair` has the rows of one language; without rows the list is empty.
    """
    every, names = by_pair["judge"].unique().sort().to_list(), shared_judges(by_pair)
    found = [(name, [name]) for name in every]
    if len(names) > 1:
        found += [(ALL, names), *((f"{ALL} without {name}", [one for one in names if one != name]) for name in names)]
    return [*found, (LENGTH_ALONE, [])] if found and traits.of_answers is not None else found


def _worth(samples: Sequence[Sample], judges: int) -> dict[str, Any]:
    """Return the figures of JUDGE_WORTH of one predictor from the samples of all pairs of arms."""
    places = {query: number for number, query in enumerate(sorted({query for one in samples for query in one.queries}))}
    sums = np.zeros((len(places), 3))
    for one in samples:
        features = one.judged - one.judged.mean(axis=0)
        products = moments_of(one.means, features, judges, one.strata.judged)
        np.add.at(sums, [places[query] for query in one.queries], products)
    correlation, low, high = estimate_correlation(sums)
    prompts, further = (
        float(np.median([len(part) for part in parts]))
        for parts in zip(*((one.judged, one.others) for one in samples), strict=True)
    )
    raters = float(np.mean(np.concatenate([np.isfinite(one.scores).sum(axis=1) for one in samples])))
    row: dict[str, Any] = {"correlation": correlation, "low": low, "high": high}
    row |= {"prompts": prompts, "further": further, "raters": raters}
    for end, value in (("", correlation), ("_low", low), ("_high", high)):
        if value is not None:
            worth = worth_in_labels(value, prompts, further)
            row |= {f"worth{end}": worth, f"replaces{end}": prompts * (1 - 1 / worth)}
    at_most = prompts * (1 - 1 / worth_in_labels(correlation, prompts, np.inf))
    return row | {"at_most": at_most}
