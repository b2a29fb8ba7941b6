"""Cells of a study's design: a cell holds the arms that share a configuration and differ only in their seed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from coig.config import TrainConfig
from coig.config.differences import bears_on_results, flatten
from coig.config.names import NAMED_ALWAYS, is_plain, name_of_value
from coig.config.stored import dump_config
from coig.evaluation.measures.tables import METRICS
from coig.study.arm import Arm
from coig.study.roster import Contestant, Roster, contestant_of_stranger, without_seed

IDENTITY = {"study", "arm", "seed"}


@dataclass(frozen=True)
class Cell:
    """The arms of one configuration, one arm per seed.

    `values` maps each key that the study varies to the cell's value, as arms' names write it. No two cells of a study
    have equal ones: a cell that differs from an earlier one in other keys alone has its name as the value of `arm`.
    `arms` are the arms' names. `contestant` represents the cell in a roster.
    """

    name: str
    values: Mapping[str, str]
    arms: tuple[str, ...]
    contestant: Contestant

    def without(self, *keys: str) -> dict[str, str]:
        """Return `values` without `keys`."""
        return {other: value for other, value in self.values.items() if other not in keys}


def group_by_seed(arms: Sequence[Arm]) -> list[Cell]:
    """Group arms whose configs differ only in their seed into cells, in the order of the arms.

    A cell has its first arm's name without the seed, or the whole name if an earlier cell is called so.
    """
    configs = {arm.name: arm.config() for arm in arms}
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(_all_but_seed(configs[arm.name]), []).append(arm)
    cells: dict[str, Cell] = {}
    for members in groups.values():
        config = configs[members[0].name]
        settings = dump_config(config)
        keys = dict.fromkeys([*NAMED_ALWAYS, *config.vary])
        values = {key: name_of_value(value_at(settings, key)) for key in keys if key != "seed"}
        label = _label(members, configs)
        name = label if label not in cells else members[0].name
        if any(values == cell.values for cell in cells.values()):
            values["arm"] = name
        contestant = Contestant(name, members[0].manifest().ratio, is_plain(config))
        cells[name] = Cell(name, values, tuple(arm.name for arm in members), contestant)
    return list(cells.values())


def group_by_setting(cells: Sequence[Cell], *free: str) -> dict[str, list[Cell]]:
    """Group cells that have the same values of all keys but those of `free`, by their setting.

    A setting names the values of the other keys that the cells vary, such as "supervision outcome"; "" without any.
    """
    keys = dict.fromkeys(key for cell in cells for key in cell.without(*free))
    varied = [key for key in keys if len({cell.values.get(key) for cell in cells}) > 1]
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        setting = ", ".join(f"{key} {cell.values[key]}" for key in varied if key in cell.values)
        groups.setdefault(setting, []).append(cell)
    return groups


def group_strangers_by_seed(roster: Roster) -> list[Cell]:
    """Group arms that were not trained here into cells by their names.

    A paper's arm is one cell with all its seeds; every other arm is a cell of its own.
    """
    cells: dict[str, list[str]] = {}
    for name in roster.names:
        cells.setdefault(without_seed(name), []).append(name)
    return [Cell(name, {}, tuple(arms), contestant_of_stranger(name)) for name, arms in cells.items()]


def _all_but_seed(config: TrainConfig) -> str:
    """Return as JSON the settings that arms of one cell share: those that affect results, without the seed."""
    settings = flatten(dump_config(config))
    return json.dumps({key: settings[key] for key in settings if key not in IDENTITY and bears_on_results(key)})


def _label(arms: Sequence[Arm], configs: Mapping[str, TrainConfig]) -> str:
    """Return a cell's name: the name of its first arm without the part that names the seed."""
    name, seed = arms[0].name, configs[arms[0].name].seed
    return re.sub(rf"-s{seed}(?=-|$)|-seed_{seed}(?=-|$)", "", name)


def value_at(settings: dict[str, Any], key: str) -> Any:
    """Look up a dotted key in nested settings; None if it is missing.

    A group's key, such as `supervision` or `source@data.creative`, gives the group's node.
    """
    node: Any = settings
    for name in key.rpartition("@")[2].replace("/", ".").split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def average_over_seeds(answers: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Average the measures of the answers over the seeds of each cell.

    Args:
        answers: the frame of `measure_answers`.
        names: the cell of each arm, by the arm's name; other arms are left out.

    Returns a row per (lang, queries, query_id, arm), where `arm` is the cell; columns as in METRICS.
    """
    measures = pl.col(*METRICS).cast(pl.Float64).mean()
    of_cells = answers.filter(pl.col("arm").is_in(list(names))).with_columns(pl.col("arm").replace(names))
    return of_cells.group_by("lang", "queries", "query_id", "arm", maintain_order=True).agg(measures)


def verdicts_between(verdicts: pl.DataFrame, names: Mapping[str, str], order: Sequence[str]) -> pl.DataFrame:
    """Turn verdicts on arms into verdicts on cells.

    Verdicts on other arms, and those on two arms of one cell, are dropped.

    Args:
        verdicts: columns as in VERDICT.
        names: the cell of each arm, by the arm's name.
        order: the cells' names; of two, the earlier becomes `arm` and the later `opponent`.
    """
    arms = pl.col("arm", "opponent")
    kept = verdicts.filter(pl.all_horizontal(arms.is_in(list(names)))).with_columns(arms.replace(names))
    kept = kept.filter(pl.col("arm") != pl.col("opponent"))
    place = {name: number for number, name in enumerate(order)}
    turned = pl.col("arm").replace_strict(place) > pl.col("opponent").replace_strict(place)
    return kept.with_columns(
        arm=pl.when(turned).then("opponent").otherwise("arm"),
        opponent=pl.when(turned).then("arm").otherwise("opponent"),
        score=pl.when(turned).then(1 - pl.col("score")).otherwise("score"),
    )
