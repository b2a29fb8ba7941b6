"""Arms as cells of a design: what they vary, and which of them differ in their seed alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from coig.config import shown
from coig.evaluation.tables import METRICS
from coig.study import Arm, arm_order

ALWAYS = ("data.ratio", "supervision")  # what every arm's name tells, besides its seed


@dataclass(frozen=True)
class Cell:
    """The arms of one configuration under every seed. `values`: each key that the study varies, and its value here."""

    name: str
    values: Mapping[str, str]
    arms: tuple[str, ...]

    def without(self, key: str) -> dict[str, str]:
        return {other: value for other, value in self.values.items() if other != key}


def cells_of(arms: Sequence[Arm]) -> list[Cell]:
    """The cells of a study's arms, in the arms' order."""
    found: dict[str, Cell] = {}
    for arm in arms:
        settings = arm.settings()
        keys = dict.fromkeys([*ALWAYS, *settings["vary"]])
        values = {key: shown(value_at(settings, key)) for key in keys if key != "seed"}
        name = re.sub(rf"-s{settings['seed']}(?=-|$)|-seed_{settings['seed']}(?=-|$)", "", arm.name)
        earlier = found[name].arms if name in found else ()
        found[name] = Cell(name, values, (*earlier, arm.name))
    return list(found.values())


def value_at(settings: dict[str, Any], key: str) -> Any:
    """A key's value; of a group, or of its choice for one place (`source@data.creative`), the node."""
    node: Any = settings
    for name in key.rpartition("@")[2].replace("/", ".").split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def averaged(answers: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Every measure of the answers of cells, by arms' names, a row per query: the mean over the seeds."""
    measures = pl.col(*METRICS).cast(pl.Float64).mean()
    of_cells = answers.filter(pl.col("arm").is_in(list(names))).with_columns(pl.col("arm").replace(names))
    return of_cells.group_by("lang", "queries", "query_id", "arm", maintain_order=True).agg(measures)


def verdicts_between(comparisons: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Verdicts on cells by arms' names, the one that comes first in a study's order as `arm`; those within a cell are
    left out."""
    arms = pl.col("arm", "opponent")
    kept = comparisons.filter(pl.all_horizontal(arms.is_in(list(names)))).with_columns(arms.replace(names))
    kept = kept.filter(pl.col("arm") != pl.col("opponent"))
    place = {name: number for number, name in enumerate(sorted(set(names.values()), key=arm_order))}
    turned = pl.col("arm").replace_strict(place) > pl.col("opponent").replace_strict(place)
    return kept.with_columns(
        arm=pl.when(turned).then("opponent").otherwise("arm"),
        opponent=pl.when(turned).then("arm").otherwise("opponent"),
        score=pl.when(turned).then(1 - pl.col("score")).otherwise("score"),
    )
