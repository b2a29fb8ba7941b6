"""Behaviour of reasoning: what each step of a chain does, by rule and by labels."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from coig.evaluation.reasoning.behaviour import (
    compute_shares,
    compute_shares_by_position,
    compute_transitions,
    label_steps,
)
from coig.evaluation.reasoning.labellers import label_agreement
from coig.records.label import Label


def tabulate_reasoning(answers: pl.DataFrame, labels: Sequence[Label]) -> dict[str, pl.DataFrame]:
    """Compute the tables `behaviour` (by decile), `behaviour_shares`, `transitions`; with labels `label_agreement` too.

    Args:
        answers: the frame of `measure_answers`.
    """
    steps = label_steps(answers)
    frames = {
        "behaviour": compute_shares_by_position(steps),
        "behaviour_shares": compute_shares(steps),
        "transitions": compute_transitions(steps),
    }
    if labels:
        frames["label_agreement"] = label_agreement(steps, labels)
    return frames
