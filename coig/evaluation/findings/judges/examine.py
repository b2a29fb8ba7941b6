"""Judge the model judges: what they are worth, how they err, and win rates of people and judges together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from coig.evaluation.findings.judges.agreement import (
    JUDGE_GENRES,
    YARDSTICK,
    agreement_by_genre,
    yardstick_table,
)
from coig.evaluation.findings.judges.bias import find_traits
from coig.evaluation.findings.judges.card import JUDGE_CARD, People, card_table
from coig.evaluation.findings.judges.failures import JUDGE_FAILURES, failure_table
from coig.evaluation.findings.judges.items import join_people
from coig.evaluation.findings.judges.together import (
    JUDGE_RATES,
    JUDGE_WORTH,
    PEOPLE_AND_JUDGES,
    judge_rates,
    people_and_judges,
    worth_table,
)
from coig.evaluation.findings.judges.words import judges_in_words
from coig.evaluation.findings.summary import Summary
from coig.evaluation.preferences.judges import JUDGES, JudgeVerdicts

TABLES: dict[str, Mapping[str, Any]] = {
    "judges": JUDGES,
    "judge_card": JUDGE_CARD,
    "judge_genres": JUDGE_GENRES,
    "judge_worth": JUDGE_WORTH,
    "people_and_judges": PEOPLE_AND_JUDGES,
    "judge_rates": JUDGE_RATES,
    "judge_failures": JUDGE_FAILURES,
    "yardstick": YARDSTICK,
}


@dataclass(frozen=True)
class JudgeFindings:
    """What is known of the judges: the tables of TABLES, and an answer in words for each language."""

    tables: Mapping[str, pl.DataFrame]
    answers: tuple[Summary, ...]


def examine_judges(
    judges: JudgeVerdicts,
    yardstick: JudgeVerdicts | None,
    people: People,
    answers: pl.DataFrame | None,
    models: Mapping[str, str],
    arms: Sequence[str],
) -> JudgeFindings:
    """Compare judges with people, evaluate their probes, and estimate win rates from people and judges together.

    Args:
        yardstick: the judges' verdicts on pairs whose better answer is known; None without any.
        answers: the frame of `measure_answers`; None if no answers were read.
        models: name of each trained arm's model.
        arms: names of all judged arms, in order.
    """
    traits = find_traits(answers, models)
    verdicts = people.verdicts
    by_pair = judges.by_pair()
    genres = [
        row
        for (judge, lang), part in by_pair.group_by("judge", "lang", maintain_order=True)
        for row in agreement_by_genre(join_people(part, verdicts), str(lang), str(judge))
    ]
    tables = {
        "judges": judges.judges,
        "judge_card": card_table(judges, people, traits),
        "judge_genres": pl.DataFrame(genres, schema=JUDGE_GENRES),
        "judge_worth": worth_table(judges, verdicts, traits, arms),
        "people_and_judges": people_and_judges(judges, verdicts, traits, arms),
        "judge_rates": judge_rates(judges, arms),
        "judge_failures": failure_table(judges.asked, arms),
        "yardstick": pl.DataFrame(schema=YARDSTICK) if yardstick is None else yardstick_table(yardstick.by_pair()),
    }
    answered = judges_in_words(tables["judge_card"], tables["judge_worth"], tables["people_and_judges"])
    return JudgeFindings(tables, tuple(answered))
