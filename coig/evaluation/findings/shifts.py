"""Tell whether the arms equal general data alone at another ratio for another file of queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.preferences.judgments import Judgments
from coig.statistics.crossing import same_crossing_p
from coig.statistics.dose_curves import LEVEL
from coig.statistics.responses import Responses

SHIFTS: dict[str, Any] = {
    **dict.fromkeys(("lang", "setting", "measure", "queries"), pl.String),
    "p": pl.Float64,  # that R₅₀ is the same for all files
    "finding": pl.String,
}
Key = tuple[str, str, str]  # language, setting, measure
Part = tuple[str, pl.DataFrame | None, Judgments | None]


def split_by_file(answers: pl.DataFrame | None, judgments: Judgments | None) -> list[Part]:
    """Return (name of the file of queries, its answers, its judgments) for each file, if answers are from several.

    Else return everything in one part named "".
    """
    files = [] if answers is None else answers["queries"].drop_nulls().unique(maintain_order=True).to_list()
    if answers is None or len(files) < 2:
        return [("", answers, judgments)]
    parts: list[Part] = []
    for name in files:
        own = answers.filter(queries=name)
        parts.append(
            (name, own, judgments and judgments.on_queries(own["query_id"].unique(maintain_order=True).to_list()))
        )
    return parts


def shift_rows(crossings: Mapping[Key, Mapping[str, Responses]]) -> Iterator[dict[str, Any]]:
    """Yield a row of SHIFTS for each language, setting and measure of several files of queries with the same doses.

    Args:
        crossings: by file of queries, the rising differences from general data alone.
    """
    for (lang, setting, measure), by_file in crossings.items():
        several = list(by_file.values())
        if len(several) < 2 or any(not np.array_equal(one.doses, several[0].doses) for one in several):
            continue
        p = same_crossing_p(several)
        finding = "the ratio is another one" if p < LEVEL else "not shown to be another ratio"
        about = {"lang": lang, "setting": setting, "measure": measure, "queries": ", ".join(by_file)}
        yield about | {"p": p, "finding": finding}
