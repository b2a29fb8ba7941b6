"""The arms' answers as one frame, a row per answer with everything measured on it alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import polars as pl

from coig.config import ConfigError
from coig.evaluation.lexical import type_token_ratio, words
from coig.language import language_of, script_share
from coig.schema import LANGUAGES
from coig.study import Arm

log = logging.getLogger(__name__)
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

    Raises ConfigError if no arm has any, a line is damaged, or arms answered other texts or with other settings.
    """
    records = [record for arm in arms for record in _compared(arm, queries)]
    if not records:
        where = arms[0].folder.parent if arms else "the study"
        raise ConfigError(f"no arm of {where} has answers in generations/{queries}.jsonl: run generate.py first")
    _check_comparable(records)
    order = {arm.name: place for place, arm in enumerate(arms)}
    records.sort(key=lambda r: (LANGUAGES.index(r["lang"]), order[r["arm"]], r["query_id"]))
    measured = pl.DataFrame([_measured(record) for record in records], schema_overrides=SCHEMA)
    share = script_share(pl.col("answer"))
    return measured.with_columns(language=language_of(share), zh_share=share).select(list(SCHEMA))


def _compared(arm: Arm, queries: str) -> list[dict[str, Any]]:
    """One answer to each query: further samples are no further evidence about the arm's queries."""
    records = arm.answers(queries)
    if failed := sum(record["finish_reason"] == "error" for record in records):
        log.warning("%s: %d answers failed and are left out; generate.py asks for them again", arm.folder, failed)
    return [record for record in records if record["finish_reason"] != "error" and record["sample"] == 0]


def _check_comparable(records: Sequence[dict[str, Any]]) -> None:
    first = records[0]
    texts: dict[str, str] = {}
    for record in records:
        for key in ("seed", "sampling"):
            if record[key] != first[key]:
                raise ConfigError(
                    f"{first['arm']} was asked with {key} {first[key]}, {record['arm']} with {record[key]}: "
                    "not comparable; answer with the same settings (generate.py … overwrite=true), "
                    "or leave one out with arms=[…]"
                )
        if texts.setdefault(record["query_id"], record["query"]) != record["query"]:
            raise ConfigError(
                f"query {record['query_id']} has another text for {record['arm']}: not comparable; answer one file of "
                "queries with every arm (generate.py … overwrite=true)"
            )


def _measured(record: dict[str, Any]) -> dict[str, Any]:
    answer = record["answer"]
    tokens = words(answer)
    return {
        **{key: record[key] for key in ("arm", "lang", "genre", "query_id", "query", "reasoning", "answer")},
        "tokens": record["answer_tokens"],
        "characters": len(answer),
        "words": len(tokens),
        "ttr": type_token_ratio(tokens),
        "finished": record["finish_reason"] == "stop" and bool(answer),
    }
