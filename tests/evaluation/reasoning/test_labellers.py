"""The cue rules, people and models that label steps, held against each other."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from coig.evaluation.reasoning.behaviour import label_steps
from coig.evaluation.reasoning.labellers import RULE, label_agreement
from coig.records.judgment import JudgeFacts
from coig.records.label import BEHAVIOURS, Label
from tests.evaluation.reasoning.test_behaviour import answers

NORMAL, DEEP, EXPLORES, _ = BEHAVIOURS
FACTS = JudgeFacts(model="Qwen/Qwen3-8B", prompt="0123")


def label(labeller: str, step: int, said: Any, query: str = "q", judge: JudgeFacts | None = None) -> Label:
    return Label(arm="cw", query_id=query, step=step, label=said, labeller=labeller, judge=judge)


def test_people_and_models_stand_beside_the_rule_and_each_other() -> None:
    """Ann: 3 of 4 equal; by chance (2·1 + 1·2 + 1·1) / 16 = 5/16, so kappa = (12/16 − 5/16) / (11/16)."""
    frame = label_steps(answers(("cw", "en", "q", "nnde")))
    labels = [label("model", step, NORMAL, judge=FACTS) for step in (0, 1, 9)]
    labels += [label("ann", step, said) for step, said in enumerate([NORMAL, DEEP, DEEP, EXPLORES])]
    labels += [Label(arm="other", query_id="q", step=0, label=NORMAL, labeller="stranger")]
    table = label_agreement(frame, labels)
    assert table.select("labeller", "kind", "against", "labels", "equal", "kappa", "unmatched").rows() == [
        ("ann", "person", RULE, 4, 0.75, pytest.approx(7 / 11), 0),
        ("stranger", "person", RULE, 0, None, None, 1),
        ("model", "model", RULE, 2, 1.0, None, 1),
        ("model", "model", "ann", 2, 0.5, 0.0, None),
    ]


def test_intervals_are_over_prompts_and_need_six() -> None:
    frame = label_steps(answers(*(("cw", "en", f"q{number}", "nd") for number in range(12))))
    said = [(NORMAL, DEEP) if number % 3 else (NORMAL, NORMAL) for number in range(12)]
    labels = [
        label("ann", step, one, f"q{number}") for number, both in enumerate(said) for step, one in enumerate(both)
    ]
    row = label_agreement(frame, labels).row(0, named=True)
    assert (row["labels"], row["equal"]) == (24, 20 / 24)
    assert 0.6 < row["equal_low"] < row["equal"] < row["equal_high"] < 1
    assert row["kappa"] == pytest.approx(2 / 3)
    assert row["kappa_low"] < row["kappa"] < row["kappa_high"]
    few = label_agreement(frame, [one for one in labels if one.query_id in ("q0", "q1", "q2")])
    assert few["kappa"].is_not_null().all()
    assert few.select("equal_low", "kappa_low").rows() == [(None, None)]


def test_no_labels_of_a_language_give_no_rows() -> None:
    frame = label_steps(answers(("cw", "en", "q", "n")))
    assert label_agreement(frame, [label("ann", 0, NORMAL, "elsewhere")]).equals(
        pl.DataFrame(schema=label_agreement(frame, []).schema)
    )
