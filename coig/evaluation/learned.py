"""Read the texts that a study's arms were trained on, where they are still on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.data.trained import check_downloaded, rebuild_mixture
from coig.errors import ConfigError
from coig.study.arm import Arm

TEXTS = dict.fromkeys(("id", "source", "kind", "lang", "genre", "prompt", "reasoning", "answer"), pl.String)


@dataclass(frozen=True)
class Learned:
    """The training examples of a study's arms.

    texts: a row for each different example; columns as in TEXTS. `reasoning` is empty where the arms did not learn it.
    of: the row numbers of each arm's examples, by the arm's name. unknown: why the examples of the other arms cannot be
    read.
    """

    texts: pl.DataFrame
    of: Mapping[str, NDArray[np.int64]]
    unknown: Mapping[str, str]

    @cached_property
    def targets(self) -> list[str]:
        """Return for each row of `texts` its reasoning, which may be empty, a line break and its answer."""
        return [f"{reasoning}\n{answer}" for reasoning, answer in self.texts.select("reasoning", "answer").iter_rows()]

    def creative_of(self, arm: str) -> NDArray[np.int64]:
        """Return the row numbers in `texts` of an arm's creative examples; the arm must be in `of`."""
        rows = self.of[arm]
        creative: NDArray[np.int64] = rows[(self.texts["kind"] == "creative").to_numpy()[rows]]
        return creative


def read_learned(arms: Sequence[Arm], trusted: Sequence[str] = ()) -> Learned:
    """Read the training examples of arms. Nothing is downloaded; an arm whose examples cannot be read is in `unknown`.

    `trusted` are functions of the stored configs that may run besides coig's own (`check_trusted`).
    """
    numbers: dict[tuple[bytes, bool, str], int] = {}
    rows: list[tuple[str | None, ...]] = []
    of, unknown = {}, {}
    for arm in arms:
        config = arm.config()
        try:
            check_downloaded(config)
            mixture = rebuild_mixture(arm.config_file, config, arm.manifest().data.fingerprint, trusted)
        except ConfigError as error:
            unknown[arm.name] = " ".join(line.strip(" -") for line in str(error).splitlines())
            continue
        with_reasoning, own = config.supervision.with_reasoning, []
        for (kind,), lines in mixture.train.group_by("kind", maintain_order=True):
            for one in mixture.examples(lines):
                key = one.digest, with_reasoning, str(kind)
                if key not in numbers:
                    numbers[key] = len(rows)
                    about = one.id, one.source, str(kind), one.lang, one.genre
                    rows.append((*about, one.prompt, one.reasoning if with_reasoning else "", one.answer))
                own.append(numbers[key])
        of[arm.name] = np.array(sorted(own), dtype=np.int64)
    return Learned(pl.DataFrame(rows, schema=TEXTS, orient="row"), of, unknown)
