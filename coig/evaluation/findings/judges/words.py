"""Say in words what the judges' tables show, for each language."""

from __future__ import annotations

from typing import Any

import polars as pl

from coig.display.numbers import interval, number, percent
from coig.evaluation.findings.judges.card import AGREES, EXCEEDS
from coig.evaluation.findings.judges.together import ALL, LENGTH_ALONE
from coig.evaluation.findings.summary import Summary
from coig.text.language_codes import LANGUAGES

NOT_CALIBRATED = "not calibrated"


def judges_in_words(card: pl.DataFrame, worth: pl.DataFrame, together: pl.DataFrame) -> list[Summary]:
    """Say what the judges are worth and where they err, for each language that they judged, Chinese queries first."""
    answers = []
    for lang in LANGUAGES:
        of_card, of_worth = card.filter(lang=lang), worth.filter(lang=lang)
        if of_card.is_empty():
            continue
        worths = {row["predictor"]: row for row in of_worth.iter_rows(named=True)}
        judges = of_card["judge"].unique(maintain_order=True).to_list()
        names = [ALL, *judges] if ALL in worths else judges
        main = " ".join(_describe_worth(name, worths.get(name)) for name in names)
        sentences = [sentence for judge in judges for sentence in _describe_judge(judge, of_card.filter(judge=judge))]
        sentences += [*_describe_length(worths), *_describe_together(together.filter(lang=lang))]
        answers.append(Summary(lang, main, tuple(sentences)))
    return answers


def _describe_worth(name: str, row: dict[str, Any] | None) -> str:
    """Return a sentence on how many of people's prompts a predictor replaces; `row` of JUDGE_WORTH, None: unknown."""
    subject = "All judges together" if name == ALL else f"Judge {name}"
    verb, adds = ("replace", "add") if name == ALL else ("replaces", "adds")
    if row is None:
        return (
            f"{subject}: {NOT_CALIBRATED}, because people have judged too few of the same pairs; no claim rests on it."
        )
    prompts = number(row["prompts"], 0)
    if not row["further"]:
        most = number(row["at_most"], 0)
        return (
            f"{subject} {adds} nothing yet, because no prompt is judged by {'them' if name == ALL else 'it'} alone; "
            f"with many such prompts, at most {most} of people's {prompts} prompts could be replaced."
        )
    if row["low"] is None:
        return f"{subject} {verb} an unknown share of {prompts} prompts: these are too few."
    ends = f"95 % interval {number(row['replaces_low'], 0)} to {number(row['replaces_high'], 0)}"
    if row["low"] <= 0:
        return f"{subject} {adds} nothing that can be shown ({ends} of {prompts} prompts replaced)."
    return f"{subject} {verb} {number(row['replaces'], 0)} of {prompts} prompts ({ends})."


def _describe_judge(judge: str, card: pl.DataFrame) -> list[str]:
    """Return sentences on a judge's agreement, its alarms, and the probes that could not run."""
    figures = {row["figure"]: row for row in card.iter_rows(named=True)}
    agrees, exceeds = figures[AGREES], figures[EXCEEDS]
    sentences = []
    if agrees["value"] is not None:
        told = f"{judge} agrees with a person in {_percent(agrees)} of comparisons"
        if exceeds["low"] is not None:
            people = _percent(agrees, "people")
            told += f"; another person does in {people}. " + _compare(exceeds)
        sentences.append(told + ("" if told.endswith(".") else "."))
    alarms = [f"{row['figure']}, {_percent(row)}" for row in figures.values() if row["alarm"]]
    if alarms:
        sentences.append(f"Alarms of {judge}: {'; '.join(alarms)}.")
    elif any(row["alarm"] is False for row in figures.values()):
        sentences.append(f"{judge} raises no alarm in the probes that ran.")
    if missing := [row["figure"] for row in figures.values() if row["value"] is None]:
        sentences.append(f"{judge} was not probed for {len(missing)} of {len(figures)} figures; the table says why.")
    return sentences


def _compare(exceeds: dict[str, Any]) -> str:
    """Return a sentence on whether a judge agrees with people less or more than they agree with each other."""
    if exceeds["high"] < 0:
        return "That is less than people agree with each other."
    if exceeds["low"] > 0:
        return "That is more than people agree with each other."
    return "The difference is within chance."


def _percent(row: dict[str, Any], of: str = "value") -> str:
    """Return a row's figure as "62.0 % [50.1, 72.6]", or as "62.0 %" if the interval is unknown.

    `of` is "value", the judge's figure, or "people".
    """
    ends = ("low", "high") if of == "value" else ("people_low", "people_high")
    known = row[ends[0]] is not None
    return f"{percent(row[of])} %" + (f" {interval(row[ends[0]], row[ends[1]])}" if known else "")


def _describe_length(worths: dict[str, dict[str, Any]]) -> list[str]:
    """Return a sentence on how many prompts the answers' length alone would replace; an empty list if unknown."""
    row = worths.get(LENGTH_ALONE)
    if row is None or row["low"] is None or not row["further"]:
        return []
    replaced, prompts = number(row["replaces"], 0), number(row["prompts"], 0)
    return [f"The answers' length alone, without any judge, would replace {replaced} of {prompts} prompts."]


def _describe_together(together: pl.DataFrame) -> list[str]:
    """Return a sentence on how much narrower judges make the intervals of win rates.

    The list is empty if no pair of arms has prompts that judges alone have judged.
    """
    helped = together.filter(pl.col("further") > 0)
    if helped.is_empty():
        return []
    widths = percent(float(helped["width"].mean()))  # type: ignore[arg-type]
    return [
        f"With the judges, the intervals of win rates (these raters, new prompts) are on average {widths} % as wide as "
        "those of people alone."
    ]
