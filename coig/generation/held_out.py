"""The prompts of the triplets that an arm was not trained on: whether what holds on the test queries holds on them."""

from __future__ import annotations

import polars as pl

from coig.config import ConfigError
from coig.data.examples import Example
from coig.data.mixture import build_mixture
from coig.data.queries import Query
from coig.schema import TrainConfig
from coig.study import Arm


def held_out_queries(arm: Arm) -> list[Query]:
    """The arm's own held-out prompts as queries, each once, by id.

    Raises ConfigError if it held no triplet out, or its data are no longer those that it was trained on.
    """
    config = TrainConfig.model_validate(arm.settings())
    mixture = build_mixture(config.data, config.seed)
    if mixture.fingerprint != arm.manifest()["data"]["fingerprint"]:
        raise ConfigError(
            f"{arm.folder}: its data have changed since it was trained (fingerprint), so nobody knows what it did not "
            "see; bring the files back, or train it anew with overwrite=true"
        )
    queries = [
        Query(_id(example), example.lang, example.genre or "none", example.prompt)
        for example in mixture.examples(mixture.validation.filter(pl.col("kind") == "creative"))
    ]
    if not queries:
        raise ConfigError(
            f"{arm.folder}: no triplet was held out of its training; train with data.validation.creative=12, say"
        )
    return sorted(queries, key=lambda query: query.id)


def _id(example: Example) -> str:
    """Of its own in each language: a triplet and its English version have one."""
    return example.id if example.lang == "zh" else f"{example.id}-{example.lang}"
