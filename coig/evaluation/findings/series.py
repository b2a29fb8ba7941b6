"""Find a study's series: arms that differ in nothing but their ratio, each with its dose.

A dose is the number of general examples per creative one that the arm was really trained on, as its manifest records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coig.evaluation.findings.cells import Cell, group_by_setting
from coig.study.arm import Arm
from coig.study.roster import paper_dose

RATIO, SIZE, SCALE = "data.ratio", "data.creative.size", "data.scale"  # what sets how many examples an arm has
FEWEST_DOSES = 3  # fewer points are no curve


@dataclass(frozen=True)
class Series:
    """Arms that differ in their ratio only, as cells (see `cells.py`).

    `setting` names the settings that the study varies and these arms share. `doses` are the doses of the cells with
    creative data, by name, growing. `reference` is the cell with general data alone, None without one. `cells` maps the
    name of each arm to that of its cell.
    """

    setting: str
    doses: Mapping[str, float]
    reference: str | None
    cells: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the cells, that of general data alone last."""
        return (*self.doses, *([self.reference] if self.reference else []))


@dataclass(frozen=True)
class Amounts:
    """What a cell was trained on: numbers of creative and general examples, and steps (None: not recorded)."""

    creative: int
    general: int
    steps: int | None

    @property
    def dose(self) -> float:
        """Return the number of general examples per creative one; there must be creative ones."""
        return self.general / self.creative


def find_series(cells: Sequence[Cell], arms: Sequence[Arm]) -> list[Series]:
    """Return the series of at least FEWEST_DOSES doses, in the order of the cells.

    If `arms`, those that were trained here, is empty, the cells that are the paper's arms are one series, with the
    paper's doses.
    """
    if not arms:
        known = {cell.name: ratio for cell in cells if (ratio := cell.contestant.ratio) is not None}
        doses = {name: paper_dose(ratio) for name, ratio in known.items() if ratio.has_creative}
        general = next((name for name, ratio in known.items() if not ratio.has_creative), None)
        found = [
            Series("", doses, general, {arm: cell.name for cell in cells for arm in cell.arms if cell.name in known})
        ]
        return [one for one in found if len(one.doses) >= FEWEST_DOSES]
    amounts = amounts_of(cells, arms)
    series = []
    for setting, members in group_by_setting(cells, RATIO).items():
        creative = sorted((cell for cell in members if amounts[cell.name].creative), key=lambda c: amounts[c.name].dose)
        alone = next((cell.name for cell in members if not amounts[cell.name].creative), None)
        doses = {cell.name: amounts[cell.name].dose for cell in creative}
        belonging = {arm: cell.name for cell in members for arm in cell.arms}
        series.append(Series(setting, doses, alone, belonging))
    return [one for one in series if len(set(one.doses.values())) >= FEWEST_DOSES]


def amounts_of(cells: Sequence[Cell], arms: Sequence[Arm]) -> dict[str, Amounts]:
    """Return what each cell was trained on, by name, from the manifest of its first arm."""
    manifests = {arm.name: arm.manifest() for arm in arms}
    found = {}
    for cell in cells:
        manifest = manifests[cell.arms[0]]
        steps = manifest.training.steps if manifest.training else None
        found[cell.name] = Amounts(manifest.data.examples("creative"), manifest.data.examples("general"), steps)
    return found
