"""Creative examples of several sources, such as COIG-Writer and a curation of one's own."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from coig.data.mixture import build_mixture
from tests.data.reading import about, data_config, written


def test_creative_sources_are_joined_counted_apart_and_nested(tmp_path: Path) -> None:
    first = [{"id": f"a{n}", "prompt": f"p{n}", "reasoning": "r", "answer": f"one {n}"} for n in range(30)]
    second = [{"id": f"a{n}", "prompt": f"q{n}", "reasoning": "r", "answer": f"two {n}"} for n in range(10)]
    paths = {
        "creative__path": written(tmp_path / "first.jsonl", first),
        "creative__also__own__path": written(
            tmp_path / "second.jsonl", [*second, {**first[0], "id": "b"}, {**first[1], "id": "c"}]
        ),
    }
    config = data_config(ratio="0", validation__creative=4, **paths)
    mixture = build_mixture(config, seed=0)
    pools = ("data.creative", "data.creative.also.own")
    held_out = mixture.validation.filter(pl.col("pool").is_in(pools))
    assert (len(mixture.train), len(held_out)) == (36, 4)
    assert [about(mixture, pool)["usable"] for pool in pools] == [30, 10]
    assert [about(mixture, pool)["duplicates"] for pool in pools] == [0, 2]
    assert {one.source for one in mixture.examples(mixture.train)} == {"first", "own"}
    sizes = [build_mixture(data_config(ratio="0", creative__size=size, **paths), 0).train for size in (10, 20)]
    small, large = (set(train.select("pool", "id").iter_rows()) for train in sizes)
    assert small < large
    assert 1 <= sum(pool == pools[1] for pool, _ in large) <= 10  # in proportion, not one source after the other
    alone = build_mixture(data_config(ratio="0", creative__path=paths["creative__path"]), seed=0)
    assert set(alone.train["pool"]) == {"data.creative"}
