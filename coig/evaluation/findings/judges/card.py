"""The judge card: how a judge errs, each figure beside the human one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.judges.agreement import measure_agreement
from coig.evaluation.findings.judges.bias import Traits, family_of, figures_of_bias
from coig.evaluation.findings.judges.figures import Figure
from coig.evaluation.findings.judges.items import PAIR, Items, join_people, number_prompts
from coig.evaluation.preferences.judges import JudgeVerdicts
from coig.records.judgment import Judgment
from coig.statistics.intervals import holm
from coig.statistics.probes import Probed, estimate_share
from coig.study.people import estimate_position_effect

JUDGE_CARD: dict[str, Any] = {
    **dict.fromkeys(("lang", "judge", "figure"), pl.String),
    **dict.fromkeys(("value", "low", "high", "people", "people_low", "people_high"), pl.Float64),
    **dict.fromkeys(("prompts", "items"), pl.Int64),
    "p_holm": pl.Float64,
    "alarm": pl.Boolean,  # null: the figure has no neutral value, or is unknown
    "note": pl.String,
}
AGREES, EXCEEDS = "agrees with a person", "agrees with a person more than another person does"
FIRST, FLIPS = "prefers the answer shown first", "changes its verdict with the order"
AGAIN, WORDING = "changes its verdict when asked again", "changes its verdict with the prompt's wording"
IDENTICAL = "prefers one of two identical answers"
PLANTED = {
    "shuffled": "misses shuffled sentences",
    "halved": "misses a missing second half",
    "repeated_text": "misses a passage that is repeated",
    "empty": "misses an empty answer",
    "cut_off": "misses an answer that is cut off",
    "wrong_language": "misses an answer in the wrong language",
}
# shares of errors above which a figure alarms, if its whole interval does
TOLERATED = {AGAIN: 0.1, IDENTICAL: 0.1, **dict.fromkeys(PLANTED.values(), 0.2)}
LEVEL = 0.05


@dataclass(frozen=True)
class People:
    """What people said: verdicts, columns as in VERDICT; the judgments that count; and their checks of care."""

    verdicts: pl.DataFrame
    judged: Sequence[Judgment]
    checks: Sequence[Judgment]


def card_table(judges: JudgeVerdicts, people: People, traits: Traits) -> pl.DataFrame:
    """Compute the card of every judge in every language; columns as in JUDGE_CARD.

    Biases are tested against none, with p corrected for a judge's figures in one language (Holm 1979). Shares of errors
    alarm if their whole 95 % interval lies above what TOLERATED allows.
    """
    rows = []
    by_pair = judges.by_pair()
    for facts in judges.judges.iter_rows(named=True):
        own = {"judge": facts["judge"], "lang": facts["lang"]}
        pairs, calls, probes = (frame.filter(**own) for frame in (by_pair, judges.calls, judges.probes))
        items = join_people(pairs, people.verdicts)
        figures = [
            *_figures_of_agreement(items),
            *_figures_of_order(calls, people, facts["lang"]),
            *_figures_of_probes(probes, people, facts["lang"]),
            _figure_of_wording(pairs, by_pair, facts, judges.judges),
            *figures_of_bias(items, traits, family_of(facts["model"])),
        ]
        rows += [own | row for row in _rows(figures)]
    return pl.DataFrame([{key: row.get(key) for key in JUDGE_CARD} for row in rows], schema=JUDGE_CARD)


def _rows(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return rows of JUDGE_CARD for one judge and language, with corrected p and alarms."""
    tested = {one.name: one.judge.p for one in figures if one.judge and one.judge.p is not None and one.name != EXCEEDS}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    rows = []
    for one in figures:
        row: dict[str, Any] = {"figure": one.name, "note": one.note, "p_holm": corrected.get(one.name)}
        row |= {"prompts": one.prompts or None, "items": one.items or None}
        if one.judge is not None:
            row |= {"value": one.judge.value, "low": one.judge.low, "high": one.judge.high}
        if one.people is not None:
            row |= {"people": one.people.value, "people_low": one.people.low, "people_high": one.people.high}
        if one.name in corrected:
            row["alarm"] = corrected[one.name] < LEVEL
        elif one.name in TOLERATED and row.get("low") is not None:
            row["alarm"] = row["low"] > TOLERATED[one.name]
        rows.append(row)
    return rows


def _figures_of_agreement(items: Items) -> list[Figure]:
    """Return two figures: the judge's agreement with people beside people's own, and the difference of the two."""
    if not len(items.people):
        note = "could not run: people have judged none of these pairs"
        return [Figure(AGREES, note=note), Figure(EXCEEDS, note=note)]
    own, people, difference = measure_agreement(items)
    several = items.select(items.raters > 1).pairs
    note = "" if difference is not None else "no pair has two raters, so people's own agreement is unknown"
    return [
        Figure(AGREES, own, people, items.pairs["query_id"].n_unique(), len(items.people), note),
        Figure(EXCEEDS, difference, None, several["query_id"].n_unique(), len(several), note),
    ]


def _figures_of_order(calls: pl.DataFrame, people: People, lang: str) -> list[Figure]:
    """Return the preference for the first place, and how much the verdict changes with the order, each beside people's.

    Only pairs that the judge judged in both orders count, and both orders alike; a tie in one order and a win in the
    other are a change of ½. Without such pairs there are people's figures and a note.
    """
    means = calls.drop_nulls("arm_first").group_by(*PAIR, "arm_first", maintain_order=True).agg(pl.col("score").mean())
    both = (
        means.filter("arm_first")
        .join(means.filter(~pl.col("arm_first")), on=PAIR, suffix="_second", maintain_order="left")
        .sort(PAIR)
    )
    position = estimate_position_effect([one for one in people.judged if one.lang == lang])
    of_people = None if position is None else Probed(position.value, position.low, position.high, None)
    again = _people_in_checks(people, "repeat", lang)
    if both.is_empty():
        note = "could not run: no pair was judged in both orders"
        return [Figure(FIRST, None, of_people, note=note), Figure(FLIPS, None, again, note=note)]
    first, second, prompts = both["score"].to_numpy(), both["score_second"].to_numpy(), number_prompts(both)
    counts = both["query_id"].n_unique(), len(both)
    return [
        Figure(FIRST, estimate_share((first + 1 - second) / 2, prompts, neutral=0.5), of_people, *counts),
        Figure(FLIPS, estimate_share(np.abs(first - second), prompts), again, *counts, "people: asked again"),
    ]


def _figures_of_probes(probes: pl.DataFrame, people: People, lang: str) -> list[Figure]:
    """Return a figure for repeats, identical pairs and each planted defect: a judge's share of errors, and people's.

    A tie is half an error, but the right verdict on an identical pair. Where the judge was not probed, a note takes the
    place of its share.
    """
    figures = []
    for check, name in {"repeat": AGAIN, "identical": IDENTICAL, **PLANTED}.items():
        own, of_people = probes.filter(check=check), _people_in_checks(people, check, lang)
        if own.is_empty():
            note = "could not run: not asked, or no answer was fit for it"
            figures.append(Figure(name, None, of_people, note=note))
        else:
            found = estimate_share(1 - own["right"].to_numpy(), number_prompts(own))
            figures.append(Figure(name, found, of_people, own["query_id"].n_unique(), len(own)))
    return figures


def _people_in_checks(people: People, check: str, lang: str) -> Probed | None:
    """Return people's share of errors (1 − care) in checks of one kind and language; None without such checks."""
    own = [one for one in people.checks if one.check == check and one.lang == lang and one.care is not None]
    if not own:
        return None
    prompts = np.unique([one.query_id for one in own], return_inverse=True)[1]
    return estimate_share(np.array([1 - (one.care or 0.0) for one in own]), prompts)


def _figure_of_wording(pairs: pl.DataFrame, by_pair: pl.DataFrame, facts: Any, judges: pl.DataFrame) -> Figure:
    """Return the mean difference (0–1) of a judge's scores from those of the same model with another prompt.

    A tie against a win counts ½, and a pair of answers once for each other prompt. Without shared pairs there is only a
    note. `pairs` are the judge's rows of `JudgeVerdicts.by_pair` in one language, `by_pair` those of all judges;
    `facts` is the judge's row of JUDGES, `judges` are all its rows.
    """
    same_model = pl.col("model") == pl.lit(facts["model"], pl.String)
    other_prompt = pl.col("prompt").ne_missing(pl.lit(facts["prompt"], pl.String))
    same = judges.filter(same_model, other_prompt, lang=facts["lang"])["judge"].to_list()
    both = pairs.join(by_pair.filter(pl.col("judge").is_in(same)), on=PAIR, suffix="_other", maintain_order="left")
    if both.is_empty():
        return Figure(WORDING, note="could not run: no other prompt of this model has judged these pairs")
    found = estimate_share((both["score"] - both["score_other"]).abs().to_numpy(), number_prompts(both))
    return Figure(WORDING, found, None, both["query_id"].n_unique(), len(both), "against " + ", ".join(sorted(same)))
