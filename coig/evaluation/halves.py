"""What the halves of a pool are that the filter `diversity` makes, so that a reader can judge the treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import get_args

from coig.evaluation.cells import value_at
from coig.evaluation.formatting import number
from coig.fields import Half
from coig.study import Arm


def halves_in_words(arms: Sequence[Arm]) -> tuple[str, ...]:
    """A sentence on each pool of which some arm uses a half: the mean words and TTR of its texts."""
    pools: dict[str, dict[Half, list[dict[str, float]]]] = {}
    for arm in arms:
        settings = arm.settings()
        for source in arm.manifest()["data"].get("sources", ()):
            if "diversity" in source:
                half = value_at(settings, f"{source['pool']}.filters.diversity")
                pools.setdefault(source["pool"], {}).setdefault(half, []).append(source["diversity"])
    return tuple(_sentence(pool, halves) for pool, halves in pools.items())


def _sentence(pool: str, halves: Mapping[Half, Sequence[Mapping[str, float]]]) -> str:
    told = []
    for half in get_args(Half):
        if of_arms := halves.get(half):
            mean_words, ttr = (mean(found[name] for found in of_arms) for name in ("words", "ttr"))
            told.append(f"{half} {number(mean_words, 1)} words, TTR {number(ttr, 3)}")
    return f"Halves of {pool}, on the mean: {'; '.join(told)}."
