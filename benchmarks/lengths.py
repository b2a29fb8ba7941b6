"""The lengths of the paper's texts, which synthetic data follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lengths:
    """The distribution of a field's length in characters.

    It is log-normal with standard deviation `spread` of the logarithm, clipped to [low, high], with the mean `mean`.
    """

    low: int
    mean: int
    high: int
    spread: float

    def draw(self, count: int, rng: np.random.Generator) -> list[int]:
        """Return `count` random lengths that include both bounds and have this mean, up to rounding."""
        normal = rng.standard_normal(count)
        normal[normal.argmin()], normal[normal.argmax()] = -100, 100
        least, most = np.log(self.low) - 10, np.log(self.high)
        for _ in range(60):
            median = (least + most) / 2
            lengths = np.exp(median + self.spread * normal).clip(self.low, self.high)
            least, most = (median, most) if lengths.mean() < self.mean else (least, median)
        return [round(float(length)) for length in lengths]

    def scale(self, factor: float) -> Lengths:
        """Return the distribution of texts `factor` times as long."""
        low, mean, high = (max(1, round(size * factor)) for size in (self.low, self.mean, self.high))
        return Lengths(low, mean, high, self.spread)


# docs/paper.md, "Data"
CREATIVE = {
    "prompt": Lengths(30, 283, 2642, spread=0.75),
    "reasoning": Lengths(252, 1089, 4094, spread=0.5),
    "answer": Lengths(12, 2214, 31071, spread=1.1),
}
# 3,000 characters in all; most of a distilled example is its reasoning
GENERAL = {
    "prompt": Lengths(20, 250, 2000, spread=0.75),
    "reasoning": Lengths(100, 1850, 12_000, spread=0.7),
    "answer": Lengths(50, 900, 6000, spread=0.7),
}
