"""A study's question, answered from arms, answers and verdicts whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coig.config import Question
from coig.evaluation.findings.cells import group_by_seed
from coig.evaluation.findings.contrasts import PREFERRED, contrast_table, find_contrasts
from coig.evaluation.findings.interpret import interpret
from coig.evaluation.findings.registered import Conduct
from coig.evaluation.findings.wording import QuestionAnswer, answers_in_words
from coig.evaluation.measures import tabulate_measures
from coig.evaluation.measures.answers import measure_answers
from coig.evaluation.preferences.judgments import RATING, VERDICT, Judgments
from coig.evaluation.preferences.strengths import compute_strengths
from coig.evaluation.preferences.win_rates import compute_win_rates
from coig.records.answer import Answer
from coig.study.arm import Arm
from coig.study.find import make_roster
from coig.study.results import LOSS
from tests.studies import make_answer, make_arm, make_group, roster_of

QUESTION = Question(ask="Is it the reasoning?", compare="supervision", baseline="outcome")
CONDUCT = Conduct(("sample",), 0.1, (), ())
QUERIES = [f"zh-{n:02}" for n in range(20)]


def arm(
    folder: Path, name: str, ratio: str, supervision: str, seed: int, loss: float, *overrides: str, **data: Any
) -> Arm:
    settings = (f"supervision.name={supervision}", f"seed={seed}", *overrides)
    made = make_arm(folder / name, *settings, ratio=ratio, seed=seed, data=data)
    made.metrics.write_text(json.dumps({"validation/loss/creative/zh/answer": loss}) + "\n")
    return made


@pytest.fixture
def arms(tmp_path: Path) -> list[Arm]:
    """Process and outcome at two ratios, under two seeds."""
    return [
        arm(tmp_path, f"{base}{suffix}{seeded}", ratio, supervision, seed, loss + seed)
        for base, ratio in (("cw", "0"), ("cw+10k", "10k"))
        for suffix, supervision, loss in (("", "process", 3.0), ("-outcome", "outcome", 4.0))
        for seed, seeded in ((0, ""), (1, "-s1"))
    ]


def answers(arms: list[Arm]) -> pl.DataFrame:
    """Arms with process supervision at 10k end all answers, the others every second one under seed 0, none under 1."""
    rows: list[tuple[str | None, Answer]] = []
    for one in arms:
        config = one.config()
        ends = config.supervision.name == "process" and config.data.ratio == "10k"
        for number, query in enumerate(QUERIES):
            finished = ends or (config.seed == 0 and number % 2 == 0)
            written = Answer(
                **{"arm": one.name, "lang": "zh", "genre": "poetry", "query_id": query, "query": "q", "reasoning": ""},
                **{"answer": "春天来了", "answer_tokens": 4, "finish_reason": "stop" if finished else "length"},
                **{"seed": 0, "sampling": {}},
            )
            rows.append(("sample", written))
    return measure_answers(rows, make_roster(arms))


def verdicts(wins: dict[tuple[str, str], int]) -> pl.DataFrame:
    """So many of the queries' verdicts are for the first arm of each pair, by each of two raters."""
    rows = [
        (query, "zh", "poetry", *pair, rater, float(number < won))
        for pair, won in wins.items()
        for number, query in enumerate(QUERIES)
        for rater in ("ann", "bob")
    ]
    return pl.DataFrame(rows, schema=VERDICT, orient="row")


def told_of(arms: list[Arm], comparisons: pl.DataFrame | None) -> tuple[pl.DataFrame, QuestionAnswer]:
    contrasts = find_contrasts(QUESTION, group_by_seed(arms))
    table = contrast_table(contrasts, answers(arms), comparisons, arms, make_roster(arms).names, 0.1)
    [answer] = answers_in_words(QUESTION, table, 0.1)
    return table, answer


def test_seeds_are_one_cell(arms: list[Arm]) -> None:
    cells = group_by_seed(arms)
    assert [(cell.name, cell.arms) for cell in cells[:2]] == [
        ("cw", ("cw", "cw-s1")),
        ("cw-outcome", ("cw-outcome", "cw-outcome-s1")),
    ]
    found = find_contrasts(QUESTION, cells)
    assert [(one.arm.name, one.opponent.name, one.setting) for one in found] == [
        ("cw", "cw-outcome", "data.ratio 0"),
        ("cw+10k", "cw+10k-outcome", "data.ratio 10k"),
    ]


def test_arms_of_several_sweeps_can_vary_different_settings(tmp_path: Path) -> None:
    """A contrast names only the settings that both of its cells have."""
    made = [
        arm(tmp_path, f"{supervision}{suffix}", "0", supervision, 0, 3.0, *vary)
        for suffix, vary in (("", ()), ("-lr", ("vary=[optimizer.lr]", "optimizer.lr=0.01")))
        for supervision in ("process", "outcome")
    ]
    found = find_contrasts(QUESTION, group_by_seed(made))
    assert [(one.arm.name, one.opponent.name, one.setting) for one in found] == [
        ("process", "outcome", ""),
        ("process-lr", "outcome-lr", "optimizer.lr 0.01"),
    ]


def test_nobody_has_judged(arms: list[Arm]) -> None:
    table, answer = told_of(arms, None)
    ended = {row["arm"]: row for row in table.filter(measure="finished").to_dicts()}
    assert ended["cw"]["difference"] == 0
    assert ended["cw+10k"]["difference"] == pytest.approx(0.75)  # 1 beside a quarter: a half under one seed of two
    assert ended["cw+10k"]["n"] == 20
    losses = table.filter(measure=LOSS).select("of_arm", "of_opponent", "difference").rows()
    assert losses == [(3.5, 4.5, -1.0)] * 2
    assert answer.short == (
        "Not judged by anyone yet, so which answers are better cannot be told (judgments=FILE). "
        "Of 2 comparisons of supervision against outcome, 1 differs beyond chance in something that is counted."
    )
    first, second = answer.contrasts
    assert first.startswith(
        "cw against cw-outcome (data.ratio 0): no difference found in what was counted (ended 0.0 po"
    )
    assert second.startswith("cw+10k against cw+10k-outcome (data.ratio 10k): ended +75.0 points [+")
    assert second.endswith("; held-out loss 3.500 against 4.500 nats per token.")
    assert answer.best[0] == (
        "Best supervision by held-out loss in nats per token: process with 3.500, 1.000 ahead of outcome "
        "(data.ratio 0); process with 3.500, 1.000 ahead of outcome (data.ratio 10k). "
        "Whether it is the same in all settings cannot be told from these figures."
    )
    assert answer.best[1] == (
        "Best supervision by share of answers that ended: all alike (data.ratio 0); "
        "process with 100.0 %, 75.0 points ahead of outcome (data.ratio 10k). "
        "Whether it is the same in all settings cannot be told from these figures."
    )


def test_verdicts_answer_it(arms: list[Arm]) -> None:
    pairs = {("cw", "cw-outcome"): 10, ("cw+10k", "cw+10k-outcome"): 20, ("cw+10k-s1", "cw+10k-outcome-s1"): 18}
    table, answer = told_of(arms, verdicts(pairs))
    preferred = {row["arm"]: row for row in table.filter(measure=PREFERRED).to_dicts()}
    assert (preferred["cw"]["of_arm"], preferred["cw"]["n"], preferred["cw"]["finding"]) == (0.5, 40, "inconclusive")
    pooled = preferred["cw+10k"]
    assert (pooled["of_arm"], pooled["n"], pooled["finding"]) == (0.95, 80, "better")  # of both seeds
    assert pooled["p_holm"] < 0.001
    assert answer.short == (
        "Of 2 comparisons of supervision against outcome that were judged: better in 1, inconclusive in 1."
    )
    assert "better, preferred in 95.0 % of 80 verdicts [" in answer.contrasts[1]
    assert answer.best[0] == (
        "Best supervision by win rate: all alike (data.ratio 0); process with 95.0 % against outcome (data.ratio 10k). "
        "Whether it is the same in all settings cannot be told from these figures."
    )


def test_values_whose_means_differ_by_rounding_alone_are_alike(tmp_path: Path) -> None:
    """The share that ended is a mean over three seeds, of thirds, which each arm has for other queries."""
    made = [
        arm(tmp_path, f"{ratio}-{supervision}-s{seed}", ratio, supervision, seed, 3.0)
        for ratio in ("0", "10k")
        for supervision in ("process", "outcome")
        for seed in range(3)
    ]
    rows: list[tuple[str | None, Answer]] = []
    for one in made:
        config = one.config()
        for number, query in enumerate(QUERIES):
            place = number if config.supervision.name == "process" else 9 * number % len(QUERIES)
            reason = "stop" if config.seed < place % 3 else "length"
            rows.append(("sample", make_answer(one.name, query, finish_reason=reason, seed=config.seed)))
    measured = measure_answers(rows, make_roster(made))
    contrasts = find_contrasts(QUESTION, group_by_seed(made))
    table = contrast_table(contrasts, measured, None, made, make_roster(made).names, 0.1)
    differences = table.filter(measure="finished")["difference"].to_list()
    assert [0 < abs(difference) < 1e-15 for difference in differences] == [True, True]
    [answer] = answers_in_words(QUESTION, table, 0.1)
    assert not any("ended" in one for one in answer.best)


@pytest.mark.parametrize(
    ("won", "told"),
    [
        (18, "process with 90.0 % against outcome (data.ratio 0); {}. It is the same in all settings."),
        (2, "outcome with 90.0 % against process (data.ratio 0); {}. It is not the same in all settings."),
        (
            11,
            "process with 55.0 % against outcome (data.ratio 0); {}. "
            "Whether it is the same in all settings cannot be told from these figures.",
        ),
    ],
)
def test_the_best_is_the_same_where_every_lead_is_beyond_chance(arms: list[Arm], won: int, told: str) -> None:
    _, answer = told_of(arms, verdicts({("cw", "cw-outcome"): won, ("cw+10k", "cw+10k-outcome"): 20}))
    other = "process with 100.0 % against outcome (data.ratio 10k)"
    assert answer.best[0] == "Best supervision by win rate: " + told.format(other)


def test_the_best_of_several_is_not_told_from_the_next(tmp_path: Path) -> None:
    """Only the baseline was compared with the others, who may well be alike."""
    made = [
        arm(tmp_path, "cw", "0", "process", 0, 4.0),
        arm(tmp_path, "cw+1k", "1k", "process", 0, 3.5004),
        arm(tmp_path, "cw+10k", "10k", "process", 0, 3.5),
    ]
    question = Question(ask="Does general data help?", compare="data.ratio", baseline="0")
    judged = verdicts({("cw", "cw+1k"): 2, ("cw", "cw+10k"): 1})
    table = contrast_table(
        find_contrasts(question, group_by_seed(made)), answers(made), judged, made, make_roster(made).names, 0.1
    )
    [answer] = answers_in_words(question, table, 0.1)
    assert answer.best == (
        "Best data.ratio by win rate: 10k with 95.0 % against 0, 5.0 points ahead of 1k. "
        "Whether that is more than chance cannot be told from these figures.",
        "Best data.ratio by held-out loss in nats per token: 10k and 1k with 3.500. "
        "Whether that is more than chance cannot be told from these figures.",
        "Best data.ratio by share of answers that ended: 10k with 100.0 %, 50.0 points ahead of 0. "
        "That is more than chance.",
    )


def test_a_verdict_in_the_other_order_counts_the_same(arms: list[Arm]) -> None:
    table, _ = told_of(arms, verdicts({("cw-outcome-s1", "cw"): 4}))
    [row] = table.filter(measure=PREFERRED).to_dicts()
    assert (row["arm"], row["opponent"], row["of_arm"], row["n"]) == ("cw", "cw-outcome", 0.8, 40)
    assert (row["finding"], row["low"] > 0) == ("better", True)


def test_losses_of_arms_that_are_asked_for_other_things_are_not_compared(tmp_path: Path) -> None:
    both = [
        arm(tmp_path, "cw", "0", "process", 0, 3.0),
        arm(tmp_path, "cw-outcome", "0", "outcome", 0, 4.0, "supervision.with_reasoning=false"),
    ]
    table, answer = told_of(both, None)
    assert table.filter(measure=LOSS).is_empty()
    assert "held-out loss" not in answer.contrasts[0]


def test_losses_of_the_same_triplets_are_compared_whatever_general_examples_are_held_out(tmp_path: Path) -> None:
    triplets = make_group(examples=6, tokens=3061)
    general = make_group("general", examples=4, tokens=674)
    held_out = {
        "process": [triplets, general],
        "outcome": [triplets, general | {"tokens": 700}],
        "other": [triplets | {"examples": 5}, general],
    }
    made = [
        arm(tmp_path, f"cw-{name}", "0", name, 0, loss, validation=held_out[name])
        for name, loss in (("process", 3.0), ("outcome", 4.0), ("other", 5.0))
    ]
    table, _ = told_of(made, None)
    losses = table.filter(measure=LOSS).select("arm", "opponent", "difference").rows()
    assert losses == [("cw-process", "cw-outcome", -1.0)]


def test_claims_are_about_all_seeds_together(tmp_path: Path) -> None:
    arms = [
        arm(tmp_path, f"{name}{seeded}", ratio, "process", seed, 1.0)
        for name, ratio in (("cw", "0"), ("general", "general"))
        for seed, seeded in ((0, ""), (1, "-s1"))
    ]
    answered = answers(arms)
    pairs = verdicts({("cw", "general"): 2, ("cw-s1", "general-s1"): 0})
    [judged] = (
        claims_of(arms, answered, pairs).filter(pl.col("claim").str.starts_with("creative data alone loses")).to_dicts()
    )
    assert (judged["status"], judged["effect"]) == ("supported", "95.00 % of 80 verdicts for general")


def test_claims_are_about_all_seeds_of_the_papers_arms_that_others_trained() -> None:
    pairs = verdicts({("cw", "general"): 2, ("cw-s1", "general-s2"): 0})
    roster = roster_of(("cw", "cw-s1", "general", "general-s2", "gpt-5"))
    judgments = Judgments(pairs, pl.DataFrame(), pl.DataFrame(schema=RATING))
    tables = {"win_rates": compute_win_rates(pairs, roster.names), "strengths": compute_strengths(pairs, roster.names)}
    claims = interpret([], roster, None, judgments, tables, CONDUCT).tables["claims"]
    [judged] = claims.filter(pl.col("claim").str.starts_with("creative data alone loses")).to_dicts()
    assert (judged["status"], judged["effect"]) == ("supported", "95.00 % of 80 verdicts for general")


def claims_of(arms: list[Arm], answered: pl.DataFrame, comparisons: pl.DataFrame) -> pl.DataFrame:
    judgments = Judgments(comparisons, pl.DataFrame(), pl.DataFrame(schema=RATING))
    tables = tabulate_measures(answered) | {"strengths": compute_strengths(comparisons, make_roster(arms).names)}
    return interpret(arms, make_roster(arms), answered, judgments, tables, CONDUCT).tables["claims"]


def test_a_sweep_of_lists_and_groups(tmp_path: Path) -> None:
    """Values are named as in the arms' names: lists by their items, groups by their node's name."""
    arms = [
        arm(
            *(tmp_path, f"cw-{number}", "0", "process", 0, 1.0),
            *(f"data.creative.filters.languages=[{languages}]", "vary=[data.creative.filters.languages,model]"),
        )
        for number, languages in enumerate(("zh", "zh,en"))
    ]
    question = Question(ask="?", compare="data.creative.filters.languages", baseline="zh")
    [contrast] = find_contrasts(question, group_by_seed(arms))
    assert (contrast.value, contrast.arm.values["model"], contrast.setting) == ("zh+en", "tiny", "")
