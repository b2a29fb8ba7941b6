"""The judge card finds what is planted in a judge, and is silent about a clean one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl
import pytest

from coig.evaluation.findings.judges.bias import FAMILY, NAMES, family_of
from coig.evaluation.findings.judges.card import (
    AGAIN,
    AGREES,
    EXCEEDS,
    FIRST,
    FLIPS,
    IDENTICAL,
    PLANTED,
    WORDING,
    card_table,
)
from coig.evaluation.findings.judges.together import judge_rates, people_and_judges
from tests.evaluation.findings.simulated_judges import CLEAR, FOLLOWS, simulate

JUDGES = 200
CHECKS = {"repeat": AGAIN, "identical": IDENTICAL, **PLANTED}
# the dials of a judge, and what its figures truly are
DIALS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "first": ({"first": 0.1}, {FIRST: 0.6}),
    "flips": ({"flips": 0.15}, {FLIPS: 0.15}),
    "wording": ({"wording": 0.1}, {WORDING: 0.1}),
    "family": ({"family": 0.07}, {FAMILY: 0.07}),
    "checks": (dict.fromkeys(CHECKS, 0.35), dict.fromkeys(CHECKS.values(), 0.35)),
    **{trait: ({trait: 0.08}, {name: 0.08}) for trait, name in NAMES.items()},
}


def figures(seed: int, **dials: float) -> dict[str, dict[str, Any]]:
    """Return the rows of a simulated judge's card by figure."""
    card = card_table(*simulate(seed, **dials)).filter(judge="judge")
    return {row["figure"]: row for row in card.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("Qwen/Qwen2.5-7B", "qwen"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "llama"),  # what it was made from
        ("01-ai/Yi-34B", "yi"),
        ("zai-org/chatglm3-6b", "glm"),  # families have models of several names
        ("zai-org/GLM-4.5", "glm"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mistral"),
        ("mistralai/Ministral-8B-Instruct-2410", "mistral"),
        ("qwq:32b", "qwen"),
        ("codellama/CodeLlama-7b-hf", "llama"),
        ("chatgpt-4o-latest", "gpt"),
        ("deepseek-ai/DeepSeek-V3", "deepseek"),
        ("studying-llms/tiny", None),
        (None, None),
    ],
)
def test_family_of_a_model(model: str | None, family: str | None) -> None:
    assert family_of(model) == family


@pytest.mark.parametrize("case", DIALS)
def test_a_large_dial_alarms(case: str) -> None:
    dials, truths = DIALS[case]
    found = figures(0, **{name: min(0.6, 3 * value) for name, value in dials.items()})
    for figure in truths:
        assert found[figure]["alarm"] is (None if figure in (FLIPS, WORDING) else True)
        assert found[figure]["low"] <= found[figure]["value"] <= found[figure]["high"]


@pytest.mark.slow
@pytest.mark.parametrize("case", DIALS)
def test_the_interval_holds_the_dial(case: str) -> None:
    dials, truths = DIALS[case]
    cards = [figures(seed, **dials) for seed in range(JUDGES)]
    for figure, truth in truths.items():
        held = sum(card[figure]["low"] <= truth <= card[figure]["high"] for card in cards) / JUDGES
        print(figure, held)
        assert held >= 0.93, figure


@cache
def clean_cards() -> list[dict[str, dict[str, Any]]]:
    return [figures(1_000 + seed) for seed in range(JUDGES)]


@pytest.mark.slow
def test_a_clean_judge_alarms_seldom() -> None:
    alarms = Counter(name for card in clean_cards() for name, row in card.items() if row["alarm"])
    probed = {name for card in clean_cards() for name, row in card.items() if row["alarm"] is not None}
    print(alarms)
    assert probed == {FIRST, AGAIN, IDENTICAL, *PLANTED.values(), *NAMES.values(), FAMILY}
    assert max(alarms.values(), default=0) <= 0.05 * JUDGES
    assert sum(any(row["alarm"] for row in card.values()) for card in clean_cards()) <= 0.07 * JUDGES


@pytest.mark.slow
def test_agreement_with_people_and_of_people() -> None:
    """Two raters agree in 0.85² + 0.15²; a judge is right in 0.71 of either order, and ties where the orders differ."""
    right = 0.5 + FOLLOWS * CLEAR
    both, none = right**2, (1 - right) ** 2
    with_a_person = 0.5 + CLEAR * (both - none)
    among_people = (0.5 + CLEAR) ** 2 + (0.5 - CLEAR) ** 2
    truths = [(AGREES, "low", "high", with_a_person), (AGREES, "people_low", "people_high", among_people)]
    truths.append((EXCEEDS, "low", "high", with_a_person - among_people))
    for figure, low, high, truth in truths:
        held = sum(card[figure][low] <= truth <= card[figure][high] for card in clean_cards()) / JUDGES
        print(figure, held)
        assert held >= 0.93


@pytest.mark.parametrize("prompts", [43, 47, 50])
def test_unanimous_raters_and_judges_keep_an_interval(prompts: int) -> None:
    """Wilson's lower limit of n of n is n / (n + 1.96²), whatever the mean of n ones is in floating point."""
    judges, people, traits = simulate(0)
    kept = pl.col("query_id").is_in([f"q{number}" for number in range(prompts)])
    one = replace(judges, calls=judges.calls.filter(kept).with_columns(score=1.0, soft=1.0))
    verdicts = people.verdicts.filter(kept).with_columns(score=1.0)
    limits = pytest.approx((prompts / (prompts + 1.959964**2), 1))
    assert judge_rates(one, ("a", "b")).filter(judge="judge").select("low", "high").row(0) == limits
    [row] = people_and_judges(one, verdicts, traits, ("a", "b")).to_dicts()
    assert (row["people_low"], row["people_high"]) == limits
    assert row["people_low_raters"] is None
    assert row["width"] == 1
