"""Make studies without training: arms' folders with a real config and a real manifest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.records.answer import Answer
from coig.study.arm import Arm
from coig.study.manifest import Manifest
from coig.study.roster import Roster, contestant_of_stranger


@cache
def compose_config(*overrides: str) -> TrainConfig:
    """Return the config that train.py would compose from overrides, without a logger unless they name one."""
    return config_of("train", TrainConfig, ["logger=none", *overrides])


def make_group(kind: str = "creative", examples: int = 3, **facts: Any) -> dict[str, Any]:
    """Return a manifest's entry for a group of examples."""
    about = {"kind": kind, "lang": "zh", "source": "made up", "examples": examples, "tokens": 10 * examples}
    return about | {"supervised_tokens": 10 * examples} | facts


def make_manifest(arm: str, ratio: str = "0", **facts: Any) -> Manifest:
    """Return a trained arm's manifest; `facts` replace its entries, except that those of `data` are merged."""
    data = {"name": "sample", "ratio": ratio, "fingerprint": "f", "train": [make_group()]} | facts.pop("data", {})
    about = {
        **{"study": "s", "arm": arm, "status": "done", "seed": 0, "wandb_run": "abcd"},
        "model": {"name": "tiny", "parameters": 5_050_624},
        "times": {"seconds": 60.0},
    }
    return Manifest.model_validate(about | facts | {"data": data})


def make_answer(arm: str, query_id: str, **facts: Any) -> Answer:
    """Return an arm's answer to a query, whose id begins with its language."""
    about = {"query_id": query_id, "lang": query_id[:2], "genre": "poetry", "query": f"Write {query_id}.", "arm": arm}
    written = {"reasoning": "Plan.", "answer": "Text.", "answer_tokens": 2, "finish_reason": "stop"}
    return Answer.model_validate(about | written | {"seed": 0, "sampling": {"temperature": 0.0}} | facts)


def make_arm(folder: Path, *overrides: str, ratio: str = "0", **facts: Any) -> Arm:
    """Write an arm's config, composed of overrides, and its manifest."""
    arm = Arm(folder)
    arm.write_config(compose_config(f"arm='{arm.name}'", f"data.ratio='{ratio}'", *overrides))
    arm.write_manifest(make_manifest(arm.name, ratio, **facts))
    return arm


def roster_of(names: Sequence[str]) -> Roster:
    """Return a roster of arms that have only names."""
    return Roster.of(map(contestant_of_stranger, names))
