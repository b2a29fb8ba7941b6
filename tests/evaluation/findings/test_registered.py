"""A registered plan's hypotheses are decided by their own estimands, and deviations are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coig.config.command_line import config_of
from coig.config.stages import EvaluateConfig
from coig.evaluation import evaluate
from coig.evaluation.findings.registered import Conduct, _deviations, _judge_shape, _judge_way
from coig.records.judgment import Judgment
from coig.study.registration import Registered, parse_plan, register
from tests.evaluation.paper import authors_export

PLAN: dict[str, Any] = {
    **{"queries": "sample", "margin": 10, "exclusions": ["None."]},
    "sample_size": {"prompts": {"zh": 204, "en": 353}, "raters": 4},
}
ABOUT: dict[str, Any] = {"says": "…", "measure": "preference", "estimand": "difference"}
HYPOTHESES: list[dict[str, Any]] = [
    {"name": "range", "lang": "zh", "estimand": "R50", "predicts": [1, 9]},
    {"name": "slope", "lang": "zh", "estimand": "shape", "predicts": "slope"},
    {"name": "ten wins", "lang": "zh", "estimand": "difference", "arms": ["cw+10k", "general"], "predicts": "higher"},
    {"name": "none wins", "lang": "en", "estimand": "difference", "arms": ["cw", "general"], "predicts": "higher"},
    {
        "name": "no gain",
        "lang": "en",
        "estimand": "difference",
        "arms": ["cw+10k", "general"],
        "predicts": "not higher",
    },
    {"name": "early", "lang": "en", "estimand": "R50", "predicts": [0, 6]},
    {"name": "logic", "lang": "en", "measure": "rating: logic", "estimand": "R*", "predicts": [0, 6]},
]


def plan_text(**changes: Any) -> str:
    return json.dumps(PLAN | {"hypotheses": [ABOUT | one for one in HYPOTHESES]} | changes)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report of the paper's rankings with a plan, as texts by file."""
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "plan.json").write_text(plan_text())
        register(Path("multirun/paper"), folder / "plan.json")
        for lang in ("zh", "en"):
            (folder / f"{lang}.json").write_text(json.dumps(authors_export(lang)), encoding="utf-8")
        overrides = ["study=paper", "judgments=[zh.json,en.json]", "claims.margin=5"]
        evaluate(config_of("evaluate", EvaluateConfig, overrides))
    of_report = folder / "multirun" / "paper" / "evaluation"
    return {name: (of_report / name).read_text("utf-8") for name in ("report.html", "summary.md", "registered.csv")}


def test_hypotheses_are_decided(report: dict[str, str]) -> None:
    lines = [line for line in report["summary.md"].splitlines() if line.startswith("| ")]
    results = {line.split(" | ")[0].strip("| "): line.split(" | ")[-1].strip("| ") for line in lines}
    assert {one["name"]: results[one["name"]] for one in HYPOTHESES} == {
        "range": "as predicted",
        "slope": "as predicted",
        "ten wins": "as predicted",
        "none wins": "against the prediction",
        "no gain": "as predicted",  # an advantage of 1.6 points is excluded
        "early": "against the prediction",
        "logic": "not measured",
    }
    assert "| ten wins | … | preference | cw+10k against general | higher | 62.7 % [" in report["summary.md"]


def test_the_rest_is_exploratory_and_deviations_are_told(report: dict[str, str]) -> None:
    summary, page = report["summary.md"], report["report.html"]
    assert summary.index("## The registered plan") < summary.index("## Exploratory results") < summary.index("![")
    assert page.index('id="plan"') < page.index('id="dose"')
    assert "<h2>The ratio" in page
    assert page.count('<span class="mark">exploratory</span>') == page.count("<h2>") - 1  # all but the plan
    for deviation in (
        "Margin: 5 points; planned were 10.",
        "Chinese queries: 1 raters judged; planned were 4.",
        "English queries: 353 judgments do not say when they were made",
    ):
        assert deviation in summary
        assert deviation in page
    assert "prompts judged; planned" not in summary


def conduct(**changes: Any) -> Conduct:
    facts = {"query_id": "zh-1", "lang": "zh", "kind": "pairwise", "arms": ["cw", "general"], "value": "a"}
    judged = [
        Judgment.model_validate(facts | {"rater": "ann", "created_at": f"2026-11-2{day}T10:00:00+00:00"})
        for day in (1, 2, 3)
    ]
    about: dict[str, Any] = {"queries": ("sample",), "margin": 0.1, "left_out": (), "judged": judged}
    return Conduct(**(about | changes))


def test_deviations_one_by_one(tmp_path: Path) -> None:
    only = [ABOUT | HYPOTHESES[0]]
    plan = parse_plan(plan_text(hypotheses=only, sample_size={"prompts": {"zh": 1}, "raters": 1}), tmp_path)
    stored = Registered(plan, datetime(2026, 11, 21, tzinfo=UTC), "abc", is_unchanged=True)
    assert list(_deviations(stored, conduct())) == []
    later = Registered(plan, datetime(2026, 11, 22, 12, tzinfo=UTC), "abc", is_unchanged=False)
    assert list(_deviations(later, conduct(left_out=("cw+1k",), queries=("mine",)))) == [
        "plan.yaml is not as it was registered: its text was changed afterwards.",
        "Queries: mine; planned were sample.",
        "Arms that this evaluation leaves out (arms=): cw+1k.",
        "Chinese queries: 2 judgments were made before the plan was registered.",
    ]


@pytest.mark.parametrize(
    ("predicted", "found", "result"),
    [
        ("higher", "higher", "as predicted"),
        ("higher", "not higher", "against the prediction"),
        ("higher", None, "inconclusive"),
        ("lower", "not higher", "inconclusive"),
        ("not higher", "lower", "as predicted"),
        ("not higher", "higher", "against the prediction"),
    ],
)
def test_a_predicted_direction(predicted: str, found: str | None, result: str) -> None:
    assert _judge_way(predicted, found) == result


@pytest.mark.parametrize(
    ("predicted", "found", "result"),
    [
        ("slope", "step", "against the prediction"),
        ("slope", "cannot be told", "inconclusive"),
        ("step", "no dose effect shown", "inconclusive"),
        ("no dose effect shown", "cannot be told", "against the prediction"),
    ],
)
def test_a_predicted_shape(predicted: str, found: str, result: str) -> None:
    assert _judge_shape(predicted, found) == result
