"""Arms as cells of a design: what they vary, and which of them differ in their seed alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from coig.config import TrainConfig
from coig.config.differences import bears_on_results, flatten
from coig.config.names import NAMED_ALWAYS, is_plain, shown
from coig.config.stored import dump_config
from coig.evaluation.measures.tables import METRICS
from coig.study.arm import Arm
from coig.study.roster import Contestant

IDENTITY = {"study", "arm", "seed"}


@dataclass(frozen=True)
class Cell:
    """The arms of one configuration under every seed.

    values: each key that the study varies, and its value here.
    """

    name: str
    values: Mapping[str, str]
    arms: tuple[str, ...]
    contestant: Contestant

    def without(self, key: str) -> dict[str, str]:
        return {other: value for other, value in self.values.items() if other != key}


def group_by_seed(arms: Sequence[Arm]) -> list[Cell]:
    """Return the cells of a study's arms, in the arms' order: arms whose configs differ in their seed alone are one."""
    configs = {arm.name: arm.config() for arm in arms}
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(_all_but_seed(configs[arm.name]), []).append(arm)
    cells: dict[str, Cell] = {}
    for members in groups.values():
        config = configs[members[0].name]
        settings = dump_config(config)
        keys = dict.fromkeys([*NAMED_ALWAYS, *config.vary])
        values = {key: shown(value_at(settings, key)) for key in keys if key != "seed"}
        label = _label(members, configs)
        name = label if label not in cells else members[0].name
        contestant = Contestant(name, members[0].manifest().ratio, is_plain(config))
        cells[name] = Cell(name, values, tuple(arm.name for arm in members), contestant)
    return list(cells.values())


def _all_but_seed(config: TrainConfig) -> str:
    """Return what arms of one cell share, as text."""
    settings = flatten(dump_config(config))
    return json.dumps({key: settings[key] for key in settings if key not in IDENTITY and bears_on_results(key)})


def _label(arms: Sequence[Arm], configs: Mapping[str, TrainConfig]) -> str:
    """Name a cell: its first arm's name without the seed that was written into it."""
    name, seed = arms[0].name, configs[arms[0].name].seed
    return re.sub(rf"-s{seed}(?=-|$)|-seed_{seed}(?=-|$)", "", name)


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


def verdicts_between(comparisons: pl.DataFrame, names: Mapping[str, str], order: Sequence[str]) -> pl.DataFrame:
    """Verdicts on cells by arms' names, the earlier of `order` as `arm`; those within a cell are
    left out."""
    arms = pl.col("arm", "opponent")
    kept = comparisons.filter(pl.all_horizontal(arms.is_in(list(names)))).with_columns(arms.replace(names))
    kept = kept.filter(pl.col("arm") != pl.col("opponent"))
    place = {name: number for number, name in enumerate(order)}
    turned = pl.col("arm").replace_strict(place) > pl.col("opponent").replace_strict(place)
    return kept.with_columns(
        arm=pl.when(turned).then("opponent").otherwise("arm"),
        opponent=pl.when(turned).then("arm").otherwise("opponent"),
        score=pl.when(turned).then(1 - pl.col("score")).otherwise("score"),
    )
