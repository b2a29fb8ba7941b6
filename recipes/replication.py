"""Print the table of docs/replication/README.md: python -m recipes.replication packed/micro_replication/evaluation

The argument is the folder of the packed study's evaluation. The paper's figures are those of its tables.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from coig.display.numbers import NONE, interval, signed

RATES = ("0.0015", "0.001", "0.002")
MAIN = RATES[0]  # trained under three seeds, the others under one
ALIKE = 0.05  # shares that differ by less count as alike, as in the report (ratios.md)


@dataclass(frozen=True)
class Finding:
    """What the paper found of an arm and general data alone.

    value: the arm's `data.ratio`. arm, general: the paper's means, of shares, characters or TTR.
    """

    says: str
    lang: str
    measure: str
    value: str
    arm: float
    general: float

    @property
    def is_share(self) -> bool:
        """Tell whether the measure is a share of answers, shown in points."""
        return self.measure == "contaminated"

    def show(self, difference: float, low: float | None = None, high: float | None = None) -> str:
        """Return a difference, with the ends of its interval if they are given, as text."""

        def form(value: float | None) -> str:
            """Format a difference in the measure's unit, with its sign; a dash for None."""
            scale, decimals = (100, 1) if self.is_share else (1, 0) if self.measure == "characters" else (1, 3)
            return signed(None if value is None else scale * value, decimals)

        return form(difference) if low is None else f"{form(difference)} {interval(low, high, form)}"

    def compare(self, low: float | None, high: float | None) -> str:
        """Return whether an interval of the same difference agrees with the paper: yes, no or not shown.

        It is not measured without an interval, since too few answers are long enough.
        """
        if low is None or high is None:
            return "not measured"
        expected = self.arm - self.general
        if self.is_share and abs(expected) < ALIKE:
            return "yes" if low > -ALIKE and high < ALIKE else "no" if low > ALIKE or high < -ALIKE else "not shown"
        if low <= 0 <= high:
            return "not shown"
        return "yes" if (low > 0) == (expected > 0) else "no"


FINDINGS = (
    Finding("English prompts answered in Chinese, points: cw", "en", "contaminated", "0", 0.1218, 0.0142),
    Finding("… cw+1k", "en", "contaminated", "1k", 0.0170, 0.0142),
    Finding("… cw+10k", "en", "contaminated", "10k", 0.0113, 0.0142),
    Finding("characters of a Chinese answer: cw", "zh", "characters", "0", 960, 1137),
    Finding("… cw+10k", "zh", "characters", "10k", 1120, 1137),
    Finding("characters of an English answer: cw", "en", "characters", "0", 3038, 4070),
    Finding("… cw+10k", "en", "characters", "10k", 4002, 4070),
    Finding("TTR of a Chinese answer's first 100 words: cw", "zh", "ttr_100", "0", 0.522, 0.678),
    Finding("… cw+10k", "zh", "ttr_100", "10k", 0.593, 0.678),
)


def main(folder: Path) -> None:
    """Print a Markdown table: each finding's difference from general data alone, in the paper and at each rate."""
    contrasts = pl.read_parquet(folder / "contrasts.parquet")
    print(f"| minus general data alone | paper | {' | '.join(f'rate {rate}' for rate in RATES)} | agrees at {MAIN}? |")
    print("| --- | ---: |" + " ---: |" * len(RATES) + " --- |")
    for finding in FINDINGS:
        found = contrasts.filter(lang=finding.lang, measure=finding.measure, value=finding.value)
        by_rate = {row["setting"].rpartition(" ")[2]: row for row in found.to_dicts()}
        shown = [_show(finding, by_rate.get(rate)) for rate in RATES]
        main_row = by_rate.get(MAIN, {})
        verdict = finding.compare(main_row.get("low"), main_row.get("high"))
        print(f"| {' | '.join([finding.says, finding.show(finding.arm - finding.general), *shown, verdict])} |")


def _show(finding: Finding, row: dict[str, Any] | None) -> str:
    """Return a difference with its interval as text; a dash if it was not measured, or has no interval."""
    return NONE if row is None or row["low"] is None else finding.show(row["difference"], row["low"], row["high"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
