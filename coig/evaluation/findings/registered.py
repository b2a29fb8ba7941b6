"""Decide a registered plan's hypotheses, each by its own estimand, and list how the study deviates from the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import polars as pl

from coig.display.numbers import LANGUAGE_NAMES, interval, number, percent, signed
from coig.evaluation.findings.cells import verdicts_between
from coig.evaluation.findings.responses import BY_JUDGES, observations
from coig.evaluation.findings.rule import LEVEL, decide, in_points
from coig.evaluation.findings.thresholds import dose_text, range_text
from coig.evaluation.measures.tables import compare_arms
from coig.evaluation.preferences.judgments import Judgments
from coig.evaluation.preferences.win_rates import compute_win_rates
from coig.records.judgment import Judgment
from coig.statistics.intervals import holm
from coig.study.registration import OF_JUDGMENTS, Hypothesis, Registered
from coig.text.language_codes import LANGUAGES

Result = Literal["as predicted", "against the prediction", "inconclusive", "not measured"]
REGISTERED: dict[str, Any] = {
    **dict.fromkeys(("lang", "hypothesis", "says", "measure", "estimand", "predicts", "found"), pl.String),
    "p_holm": pl.Float64,
    "result": pl.String,
}
Outcome = dict[str, Any]  # the columns of REGISTERED that depend on the data; `p` is not corrected yet
NOT_MEASURED: Outcome = {"found": None, "result": "not measured"}


@dataclass(frozen=True)
class Conduct:
    """How an evaluation was carried out: files of queries, margin (a share), arms left out, and judgments."""

    queries: tuple[str, ...]
    margin: float
    left_out: tuple[str, ...]
    judged: Sequence[Judgment]


@dataclass(frozen=True)
class RegisteredPlan:
    """A plan with what became of it: the table of its hypotheses (columns as in REGISTERED) and the deviations."""

    heading: str
    exclusions: tuple[str, ...]
    table: pl.DataFrame
    deviations: tuple[str, ...]


def follow_plan(
    registered: Registered,
    conduct: Conduct,
    cells: Mapping[str, str],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    thresholds: pl.DataFrame,
) -> RegisteredPlan:
    """Decide each hypothesis of a plan and list the deviations from it; p are corrected (Holm) for its differences.

    The table has a row for each hypothesis, Chinese queries first, also for those that were not measured.

    Args:
        cells: the cell of each arm; hypotheses name cells, that is, arms without their seed.
        answers: the frame of `measure_answers`; None without answers.
        thresholds: columns as in THRESHOLDS.
    """
    plan = registered.plan
    frames = {m.name: part for m, part in observations(cells, None, answers, judgments, conduct.margin)}
    outcomes = [_outcome(one, cells, frames, judgments, thresholds) for one in plan.hypotheses]
    tested = [outcome for outcome in outcomes if "p" in outcome]
    for outcome, p in zip(tested, holm([outcome["p"] for outcome in tested]), strict=True):
        outcome["p_holm"] = p
    rows = [
        _about(one) | outcome | {"result": _result(one, outcome, conduct.margin)}
        for one, outcome in zip(plan.hypotheses, outcomes, strict=True)
    ]
    rows.sort(key=lambda row: LANGUAGES.index(row["lang"]))
    heading = f"Registered {registered.registered:%Y-%m-%d %H:%M} UTC, sha256 {registered.sha256}."
    table = pl.DataFrame([{key: row.get(key) for key in REGISTERED} for row in rows], schema=REGISTERED)
    return RegisteredPlan(heading, plan.exclusions, table, tuple(_deviations(registered, conduct)))


def _about(one: Hypothesis) -> dict[str, Any]:
    """Return the columns of REGISTERED that the plan itself gives."""
    predicts = one.predicts if isinstance(one.predicts, str) else "–".join(f"{end:g}" for end in one.predicts)
    estimand = f"{one.arms[0]} against {one.arms[1]}" if one.arms else one.estimand
    return {
        "lang": one.lang,
        "hypothesis": one.name,
        "says": one.says,
        "measure": one.measure,
        "estimand": estimand,
        "predicts": predicts,
    }


def _outcome(
    one: Hypothesis,
    cells: Mapping[str, str],
    frames: Mapping[str, pl.DataFrame],
    judgments: Judgments | None,
    thresholds: pl.DataFrame,
) -> Outcome:
    """Return what was found for a hypothesis: a text, and the figures by which `_result` decides.

    It is NOT_MEASURED if the data are missing. `frames` has the observations of each measure by name.
    """
    if one.arms:
        if one.measure in OF_JUDGMENTS:
            return _win_rate(one, one.arms, cells, judgments)
        return _difference(one, one.arms, frames.get(one.measure))
    rows = thresholds.filter(lang=one.lang, measure=one.measure, setting=one.setting).to_dicts()
    if not rows:
        return dict(NOT_MEASURED)
    [row] = rows
    if one.estimand == "shape":
        return {"found": row["shape"], "shape": row["shape"]} if row["shape"] else dict(NOT_MEASURED)
    name = "r50" if one.estimand == "R50" else "r_best"
    suffix = "_raters" if name == "r50" and row["r50_low_raters"] is not None else ""
    low, high, largest = row[f"{name}_low{suffix}"], row[f"{name}_high{suffix}"], row["largest_dose"]
    if low is None:
        return dict(NOT_MEASURED)
    found = f"{dose_text(row[name], largest)} ({range_text(low, high, largest)})"
    return {"found": found, "low": low, "high": high}


def _win_rate(one: Hypothesis, arms: tuple[str, str], cells: Mapping[str, str], judgments: Judgments | None) -> Outcome:
    """Return the first arm's win rate over the second as text, its p, and its row of the win rates (`rate`).

    Verdicts are people's or judges', as the measure says. Interval and p are for new raters too where known. The result
    is NOT_MEASURED without verdicts on the two.
    """
    if judgments is None:
        return dict(NOT_MEASURED)
    by_judge = pl.col("rater").is_in(list(judgments.judges))
    own = judgments.verdicts.filter(by_judge if one.measure == BY_JUDGES else ~by_judge, lang=one.lang)
    compared = {arm: cell for arm, cell in cells.items() if cell in arms}
    rates = compute_win_rates(verdicts_between(own, compared, arms).with_columns(genre=pl.lit(None, pl.String)), arms)
    rows = rates.filter(arm=arms[0], opponent=arms[1]).to_dicts()
    if not rows:
        return dict(NOT_MEASURED)
    suffix = "" if rows[0]["low_raters"] is None else "_raters"
    ends = interval(rows[0][f"low{suffix}"], rows[0][f"high{suffix}"])
    found = f"{percent(rows[0]['rate'])} % {ends} of {rows[0]['verdicts']:,} verdicts"
    return {"found": found, "p": rows[0]["p_raters"] if suffix else rows[0]["p"], "rate": rows[0]}


def _difference(one: Hypothesis, arms: tuple[str, str], part: pl.DataFrame | None) -> Outcome:
    """Return as text, with p and as a number, the first arm's mean minus the second's over the prompts that both have.

    Values of a prompt are averaged over seeds and raters. The result is NOT_MEASURED without a common prompt. `part`
    has the measure's observations, None if it was not measured.
    """
    if part is None:
        return dict(NOT_MEASURED)
    own = part.filter(pl.col("arm").is_in(list(arms)), lang=one.lang)
    means = own.group_by("arm", "query_id", maintain_order=True).agg(pl.col("value").mean())
    if means["arm"].n_unique() < 2:
        return dict(NOT_MEASURED)
    [found] = compare_arms(means, "value", [arms])
    if not found.n:
        return dict(NOT_MEASURED)
    text = f"{signed(found.difference)} {interval(found.low, found.high, signed)} over {number(found.n)} prompts"
    return {"found": text, "p": found.p, "difference": found.difference}


def _result(one: Hypothesis, outcome: Outcome, margin: float) -> Result:
    """Return how an outcome compares with what the hypothesis predicts.

    A range is right if the interval lies in it, wrong if the interval lies outside. A win rate is decided by `decide`;
    another difference is inconclusive unless `p_holm` is below LEVEL.
    """
    if outcome["found"] is None:
        return "not measured"
    if one.estimand == "shape":
        return _judge_shape(str(one.predicts), outcome["shape"])
    if not isinstance(one.predicts, str):
        low, high = one.predicts
        if low <= outcome["low"] and outcome["high"] <= high:
            return "as predicted"
        return "against the prediction" if outcome["high"] < low or high < outcome["low"] else "inconclusive"
    if "rate" in outcome:
        finding = decide(outcome["rate"] | {"p_holm": outcome["p_holm"]}, margin).finding
        ways = {"better": "higher", "worse": "lower", "not better by the margin": "not higher"}
        return _judge_way(one.predicts, ways.get(finding))
    if outcome["p_holm"] >= LEVEL:
        return "inconclusive"
    return _judge_way(one.predicts, "higher" if outcome["difference"] > 0 else "lower")


def _judge_shape(predicted: str, found: str) -> Result:
    """Compare a predicted shape with the found one, one of KINDS; a found shape that differs is against the prediction.

    It is inconclusive if no dose effect is shown, or if a slope or step is predicted and the two cannot be told apart.
    """
    if predicted == found:
        return "as predicted"
    if found == "no dose effect shown" or (found == "cannot be told" and predicted in ("slope", "step")):
        return "inconclusive"
    return "against the prediction"


def _judge_way(predicted: str, found: str | None) -> Result:
    """Compare a predicted direction with the found one; inconclusive if nothing was shown (None).

    *Lower* agrees with the prediction *not higher*; *not higher* is inconclusive for the prediction *lower*.
    """
    if found is None or (predicted, found) == ("lower", "not higher"):
        return "inconclusive"
    agrees = predicted == found or (predicted, found) == ("not higher", "lower")
    return "as predicted" if agrees else "against the prediction"


def _deviations(registered: Registered, conduct: Conduct) -> Iterator[str]:
    """Yield a sentence for each way in which the study was not carried out as planned."""
    plan = registered.plan
    if not registered.is_unchanged:
        yield "plan.yaml is not as it was registered: its text was changed afterwards."
    if list(conduct.queries) != list(plan.queries):
        yield f"Queries: {', '.join(conduct.queries)}; planned were {', '.join(plan.queries)}."
    if abs(100 * conduct.margin - plan.margin) > 1e-9:
        yield f"Margin: {in_points(conduct.margin)} points; planned were {plan.margin:g}."
    if conduct.left_out:
        yield f"Arms that this evaluation leaves out (arms=): {', '.join(conduct.left_out)}."
    for lang in LANGUAGES:
        if any(one.lang == lang and one.needs_judgments for one in plan.hypotheses):
            yield from _deviations_of_judging(registered, [one for one in conduct.judged if one.lang == lang], lang)


def _deviations_of_judging(registered: Registered, judged: Sequence[Judgment], lang: str) -> Iterator[str]:
    """Yield a sentence for each way in which a language was judged otherwise than planned."""
    size, where = registered.plan.sample_size, LANGUAGE_NAMES[lang]
    assert size is not None
    planned_prompts = {str(name): count for name, count in size.prompts.items()}
    counts = {
        "prompts": (len({one.query_id for one in judged}), planned_prompts.get(lang, 0)),
        "raters": (len({one.rater for one in judged if one.source == "human"}), size.raters),
    }
    for what, (found, planned) in counts.items():
        if found != planned:
            yield f"{where}: {found:,} {what} judged; planned were {planned:,}."
    times = [_read_time(one.created_at) for one in judged if one.created_at]
    if early := sum(time < registered.registered for time in times):
        yield f"{where}: {early:,} judgments were made before the plan was registered."
    if unknown := len(judged) - len(times):
        yield f"{where}: {unknown:,} judgments do not say when they were made, so they may be older than the plan."


def _read_time(text: str) -> datetime:
    """Parse a time of ISO 8601; one without a zone is taken as UTC."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
