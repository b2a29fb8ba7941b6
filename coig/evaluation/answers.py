"""The arms' answers as one frame, a row per answer with everything measured on it alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from coig.config import LANGUAGES, ConfigError
from coig.evaluation.language import language_of, script_share
from coig.evaluation.lexical import type_token_ratio, words
from coig.study import Arm

SCHEMA = {
    "arm": pl.String,
    "lang": pl.String,
    "genre": pl.String,
    "query_id": pl.String,
    "query": pl.String,
    "reasoning": pl.String,
    "answer": pl.String,
    "tokens": pl.Int64,
    "characters": pl.Int64,
    "words": pl.Int64,
    "ttr": pl.Float64,  # null for an answer without words
    "language": pl.String,
    "zh_share": pl.Float64,  # null for an answer without script
    "finished": pl.Boolean,
}


def read_answers(arms: Sequence[Arm], queries: str) -> pl.DataFrame:
    """Every answer of the arms to a file of queries, Chinese first, in the arms' order, then by query id.

    Raises ConfigError if no arm has any, or a line is damaged.
    """
    rows = []
    for arm in arms:
        file = arm.generations(queries)
        if not file.exists():
            continue
        seen: set[str] = set()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = _measured(json.loads(line))
            except (ValueError, KeyError) as error:
                raise ConfigError(f"{file}:{number}: damaged ({error}); remove the line and run generate.py") from None
            if row["query_id"] in seen:
                raise ConfigError(
                    f"{file}:{number}: query {row['query_id']} is answered twice; remove one of the lines"
                )
            seen.add(row["query_id"])
            rows.append(row)
    if not rows:
        where = arms[0].folder.parent if arms else "the study"
        raise ConfigError(f"no arm of {where} has generations/{queries}.jsonl: run generate.py first")
    order = {arm.name: place for place, arm in enumerate(arms)}
    rows.sort(key=lambda row: (LANGUAGES.index(row["lang"]), order[row["arm"]], row["query_id"]))
    return pl.DataFrame(rows, schema=SCHEMA)


def _measured(record: dict[str, Any]) -> dict[str, Any]:
    answer = record["answer"]
    tokens = words(answer)
    share = script_share(answer)
    return {
        **{key: record[key] for key in ("arm", "lang", "genre", "query_id", "query", "reasoning", "answer")},
        "tokens": record["answer_tokens"],
        "characters": len(answer),
        "words": len(tokens),
        "ttr": type_token_ratio(tokens),
        "language": language_of(share),
        "zh_share": share,
        "finished": record["finish_reason"] == "stop" and bool(answer),
    }
