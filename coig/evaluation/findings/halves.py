"""Describe the halves into which the filter `diversity` splits a pool, so that a reader can judge how they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import get_args

from coig.config.fields import Half
from coig.config.stored import dump_config
from coig.display.numbers import number
from coig.evaluation.findings.cells import value_at
from coig.study.arm import Arm
from coig.study.manifest import HalfMeans


def halves_in_words(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Return a sentence for each pool of which some arm uses a half: the mean words and TTR of each half's texts."""
    pools: dict[str, dict[Half, list[HalfMeans]]] = {}
    for arm in arms:
        settings = dump_config(arm.config())
        for source in arm.manifest().data.sources:
            if source.diversity:
                half = value_at(settings, f"{source.pool}.filters.diversity")
                pools.setdefault(source.pool, {}).setdefault(half, []).append(source.diversity)
    return tuple(_sentence(pool, halves) for pool, halves in pools.items())


def _sentence(pool: str, halves: Mapping[Half, Sequence[HalfMeans]]) -> str:
    """Return the sentence on one pool; `halves` maps each half to the means that its arms recorded, one per arm."""
    parts = []
    for half in get_args(Half):
        if of_arms := halves.get(half):
            mean_words, ttr = mean(one.words for one in of_arms), mean(one.ttr for one in of_arms)
            parts.append(f"{half} {number(mean_words, 1)} words, TTR {number(ttr, 3)}")
    return f"Halves of {pool}, mean per text: {'; '.join(parts)}."
