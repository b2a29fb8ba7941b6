"""`data.ratio`: how many general examples are mixed with the creative ones.

0         no general examples (arm CW)
N, Nk     N (or N thousand) general examples per language, as in the paper; `data.scale` multiplies N
1:R       R general examples per creative one over all languages, split by `data.language_weights`
general   the general examples of 10k and no creative ones (arm G)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GENERAL = "general"
GENERAL_COUNT = 10_000

REMEDY = "give a count per language (0, 500, 1k), creative to general as 1:12, or 'general'"


@dataclass(frozen=True)
class Ratio:
    """A parsed `data.ratio`.

    Has its shortest `text` (1k for 1000), and either `count`, general examples per language, or `per_creative`, general
    examples per creative one over all languages.
    """

    text: str
    count: int | None = None
    per_creative: float | None = None

    @classmethod
    def parse(cls, text: str) -> Ratio:
        """Parse `N`, `Nk`, `1:R` with R above 0, or `general`; raises ValueError with the remedy for other texts."""
        text = text.strip()
        if text == GENERAL:
            return cls(GENERAL, count=GENERAL_COUNT)
        if match := re.fullmatch(r"(\d+)([kK]?)", text):
            count = int(match[1]) * (1000 if match[2] else 1)
            thousands, rest = divmod(count, 1000)
            return cls(f"{thousands}k" if thousands and not rest else str(count), count=count)
        if (match := re.fullmatch(r"1:(\d+(?:\.\d+)?)", text)) and float(match[1]) > 0:
            return cls(f"1:{float(match[1]):.12g}", per_creative=float(match[1]))
        kind = "a percentage" if "%" in text else "a fraction" if re.fullmatch(r"\d*\.\d+", text) else "no ratio"
        raise ValueError(f"is {kind}: {REMEDY}")

    @property
    def has_creative(self) -> bool:
        """Tell whether the mixture has creative examples."""
        return self.text != GENERAL

    @property
    def arm(self) -> str:
        """Return the ratio's part of an arm's name, usable in a folder's name: cw, cw+1k, cw+1to12, general."""
        if not self.has_creative:
            return GENERAL
        return "cw" if self.count == 0 else f"cw+{self.text.replace(':', 'to')}"

    def general_examples(self, creative: int, languages: int, scale: float) -> float:
        """Return the number of general examples over all languages, not rounded.

        Args:
            creative: number of creative examples.
            languages: number of languages that have a general pool.
            scale: factor on a ratio given as a count.
        """
        if self.count is not None:
            return self.count * scale * languages
        assert self.per_creative is not None
        return self.per_creative * creative
