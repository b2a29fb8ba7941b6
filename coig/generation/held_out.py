"""The prompts of the triplets that an arm was not trained on: whether what holds on the test queries holds on them."""

from __future__ import annotations

import polars as pl
from pydantic import ValidationError

from coig.config import ConfigError
from coig.data.examples import Example, prompt_key
from coig.data.mixture import build_mixture
from coig.data.queries import Query
from coig.schema import TrainConfig
from coig.study import Arm


def held_out_queries(arm: Arm) -> list[Query]:
    """The arm's own held-out prompts as queries, each once, by id.

    Raises ConfigError if it held no triplet out, or its data are no longer those that it was trained on.
    """
    try:
        config = TrainConfig.model_validate(arm.settings())
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            f"{arm.folder}: its config holds no more ({'.'.join(map(str, problem['loc']))}: {problem['msg']}); "
            "bring its files back, or train it anew with overwrite=true"
        ) from None
    mixture = build_mixture(config.data, config.seed)
    if mixture.fingerprint != arm.manifest()["data"]["fingerprint"]:
        raise ConfigError(
            f"{arm.folder}: its data have changed since it was trained (fingerprint), so nobody knows what it did not "
            "see; bring the files back, or train it anew with overwrite=true"
        )
    creative = pl.col("kind") == "creative"
    seen = {prompt_key(example.prompt) for example in mixture.examples(mixture.train.filter(creative))}
    queries = []
    for example in sorted(mixture.examples(mixture.validation.filter(creative)), key=lambda one: (one.id, one.lang)):
        if (key := prompt_key(example.prompt)) not in seen:  # another text may have been written to the same prompt
            seen.add(key)
            queries.append(Query(_id(example), example.lang, example.genre or "none", example.prompt))
    if not queries:
        raise ConfigError(
            f"{arm.folder}: no triplet was held out of its training; train with data.validation.creative=12, say"
        )
    return queries


def _id(example: Example) -> str:
    """One that no query of a file has, nor the triplet's version in the other language."""
    return f"held-{example.id}" if example.lang == "zh" else f"held-{example.id}-{example.lang}"
