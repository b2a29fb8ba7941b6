"""A judge's agreement with people by genre."""

from __future__ import annotations

import numpy as np
import polars as pl

from coig.evaluation.findings.judges.agreement import agreement_by_genre
from coig.evaluation.findings.judges.items import Items

GENRES = tuple("dbace")


def test_genres_of_equal_agreement_are_in_the_order_of_their_names() -> None:
    """Each has the same verdicts, whose sums in another order differ in the last digit."""
    rng = np.random.default_rng(0)
    verdicts = rng.choice([0.0, 0.5, 1.0], size=(66, 4))  # the judge's, and those of three people
    shuffled = np.concatenate([rng.permutation(verdicts) for _ in GENRES])
    pairs = {"query_id": [f"q-{number % 66}" for number in range(len(shuffled))], "genre": np.repeat(GENRES, 66)}
    items = Items(pl.DataFrame(pairs | {"score": shuffled[:, 0]}), shuffled[:, 1:])
    rows = agreement_by_genre(items, "zh", "qwen")
    assert len({row["agreement"] for row in rows}) > 1  # before they are rounded
    assert [row["genre"] for row in rows] == sorted(GENRES)
