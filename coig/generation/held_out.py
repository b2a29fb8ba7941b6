"""Turn an arm's held-out triplets into queries, to test whether findings on the test queries hold for them too."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from coig.data.examples import Example
from coig.data.trained import rebuild_mixture
from coig.errors import ConfigError, DataError
from coig.records.query import NO_GENRE, Query
from coig.study.arm import Arm
from coig.text.cleaning import prompt_key


def find_held_out_queries(arm: Arm, trusted: Sequence[str] = ()) -> list[Query]:
    """Return the prompts of an arm's held-out triplets as queries, sorted by id, each prompt once.

    Args:
        trusted: functions of the stored config that may run, and data sets that may be downloaded (`rebuild_mixture`).

    Raises ConfigError if the arm has no held-out triplet, its data files changed or vanished since training, or it
    names a function that is not trusted.
    """
    config = arm.config()
    try:
        mixture = rebuild_mixture(arm.config_file, config, arm.manifest().data.fingerprint, trusted)
    except DataError as error:
        raise ConfigError(
            f"{arm.folder}: what it was trained on cannot be read, so nobody knows what it did not see ({error}); "
            "bring the files back, or train it anew with overwrite=true"
        ) from None
    creative = pl.col("kind") == "creative"
    seen: set[bytes] = set()
    queries = []
    for example in sorted(mixture.examples(mixture.validation.filter(creative)), key=lambda one: (one.id, one.lang)):
        if (key := prompt_key(example.prompt)) not in seen:  # several texts may have been written to one prompt
            seen.add(key)
            queries.append(_query(example))
    if not queries:
        raise ConfigError(
            f"{arm.folder}: no triplet was held out of its training; train with data.validation.creative=12, say"
        )
    return queries


def _query(example: Example) -> Query:
    """Return an example's prompt as a query with the id `held-<id>`, or `held-<id>-en` for an English example."""
    name = f"held-{example.id}" if example.lang == "zh" else f"held-{example.id}-{example.lang}"
    return Query.model_validate(
        {"id": name, "lang": example.lang, "genre": example.genre or NO_GENRE, "query": example.prompt}
    )
