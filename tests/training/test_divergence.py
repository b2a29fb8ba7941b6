"""The divergence of an arm from its base: zero for the base itself, and as computed from whole logits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from coig.data.tokens import Encoded
from coig.study.arm import Arm
from coig.study.manifest import MemoryPlan
from coig.training.divergence import measure_divergence

PLAN = MemoryPlan(tokens_per_micro_batch=64, recomputed_layers=0)


def general(lang: str, *ids: int, kind: str = "general") -> Encoded:
    """Return an encoded text whose first token is its prompt."""
    return Encoded("x", kind, lang, np.array(ids, dtype=np.int32), (1, 0, len(ids) - 1), (0.0, 1.0, 1.0))


TEXTS = [
    *(general("zh", 5, 6, 7, 8), general("zh", 9, 10, 11), general("en", 5, 9, 6), general("en", 7, 7)),
    general("zh", 9, 9, kind="creative"),
]


def test_the_base_itself_does_not_diverge(arm: Arm) -> None:
    found = measure_divergence(arm.config(), arm, TEXTS, PLAN)
    assert [(one.lang, one.texts, one.tokens) for one in found] == [("zh", 2, 5), ("en", 2, 3)]
    assert [one.nats for one in found] == pytest.approx([0, 0], abs=1e-6)


def test_it_is_the_mean_of_whole_distributions(arm: Arm, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    copy = Arm(tmp_path / arm.name)
    shutil.copytree(arm.folder, copy.folder)
    base, moved = (AutoModelForCausalLM.from_pretrained(arm.model) for _ in range(2))
    with torch.no_grad():
        for weight in moved.model.layers[0].parameters():
            weight.mul_(1.5)
    moved.save_pretrained(copy.model)

    def sum_divergences(one: Encoded) -> float:
        ids = torch.from_numpy(one.input_ids[None].astype(np.int64))
        with torch.no_grad():
            p, q = (lm(ids).logits[0].log_softmax(-1) for lm in (moved, base))
        return float((p.exp() * (p - q)).sum(-1)[:-1].sum())  # the last token predicts none that is supervised

    found = measure_divergence(arm.config(), copy, TEXTS, PLAN)
    sums = [(sum_divergences(one), len(one.input_ids) - 1) for one in TEXTS[:2]]
    mean = sum(nats for nats, _ in sums) / 5
    error = (2 * sum((nats - mean * count) ** 2 for nats, count in sums)) ** 0.5 / 5
    assert [found[0].nats, found[0].stderr] == pytest.approx([mean, error], rel=1e-2)
    assert mean > 0.01
