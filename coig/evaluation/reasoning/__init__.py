"""Behaviour of reasoning: what each step of a chain does, by rule and by labels."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from coig.evaluation.reasoning.behaviour import by_position, labelled_steps, shares, transitions
from coig.evaluation.reasoning.labellers import label_agreement
from coig.records.label import Label


def trace(answers: pl.DataFrame, labels: Sequence[Label]) -> dict[str, pl.DataFrame]:
    """Compute the tables of the answers' reasoning by name: behaviours and transitions; with labels, agreement too."""
    steps = labelled_steps(answers)
    frames = {"behaviour": by_position(steps), "behaviour_shares": shares(steps), "transitions": transitions(steps)}
    if labels:
        frames["label_agreement"] = label_agreement(steps, labels)
    return frames
