"""The arms' answers as one frame, a row per answer with everything measured on it alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import polars as pl

from coig.config import ConfigError
from coig.evaluation.lexical import diversity, ttr_of_first
from coig.fields import LANGUAGES
from coig.language import HAN_LETTERS, LATIN_LETTERS, language_of, script_share
from coig.study import Arm, arm_order
from coig.words import words

log = logging.getLogger(__name__)
DIVERSITY = ("ttr", "ttr_100", "mattr", "mtld", "hdd", "distinct_2", "distinct_3", "self_repetition")
SCHEMA = {
    "arm": pl.String,
    "lang": pl.String,
    "genre": pl.String,
    "query_id": pl.String,
    "queries": pl.String,  # which file of them; null for answers of others
    "query": pl.String,
    "reasoning": pl.String,
    "answer": pl.String,
    "tokens": pl.Int64,
    "characters": pl.Int64,
    "words": pl.Int64,
    **dict.fromkeys(DIVERSITY, pl.Float64),  # null for an answer too short for the measure
    "language": pl.String,
    "zh_share": pl.Float64,  # null for an answer without script
    "contaminated": pl.Boolean,  # at least four fifths of the script are the other language's
    "contaminated_any": pl.Boolean,  # or both languages are mixed
    "foreign_characters": pl.Float64,  # share of the letters, null for an answer without any
    "foreign_position": pl.Float64,  # 0–1, where the other script begins; null without contamination
    "finished": pl.Boolean,  # null where nobody recorded it
}
EQUAL_LENGTH = 100  # words


def read_answers(arms: Sequence[Arm], queries: Sequence[str]) -> pl.DataFrame:
    """Every answer of the arms to some files of queries, measured; see `measured`.

    Raises ConfigError if no arm has any to one of them, a line is damaged, or arms answered other texts or with other
    settings.
    """
    records = [record for name in queries for record in _answers_to(name, arms)]
    _check_comparable(records)
    return measured(records)


def _answers_to(queries: str, arms: Sequence[Arm]) -> list[dict[str, Any]]:
    records = [record | {"queries": queries} for arm in arms for record in _compared(arm, queries)]
    if not records:
        where = arms[0].folder.parent if arms else "the study"
        raise ConfigError(f"no arm of {where} has answers in generations/{queries}.jsonl: run generate.py first")
    return records


def measured(records: list[dict[str, Any]]) -> pl.DataFrame:
    """A row per answer: Chinese first, in the arms' order, then by query id."""
    records = sorted(records, key=lambda r: (LANGUAGES.index(r["lang"]), arm_order(r["arm"]), r["query_id"]))
    frame = pl.DataFrame([_measured(record) for record in records], schema_overrides=SCHEMA)
    return with_contamination(frame).select(list(SCHEMA))


def with_contamination(answers: pl.DataFrame) -> pl.DataFrame:
    """`answers` with the language that each is in, and how much of it is the other one's script, from where on."""
    text, chinese = pl.col("answer"), pl.col("lang") == "zh"
    before_latin, before_han = (f"(?s)^([^{letters}]*)" for letters in (LATIN_LETTERS, HAN_LETTERS))
    counted = answers.with_columns(
        zh_share=script_share(text),
        han=text.str.replace_all(f"[^{HAN_LETTERS}]+", "").str.len_chars(),
        latin=text.str.replace_all(f"[^{LATIN_LETTERS}]+", "").str.len_chars(),
        begins=text.str.extract(
            pl.when(chinese).then(pl.lit(before_latin)).otherwise(pl.lit(before_han))
        ).str.len_chars(),
    ).with_columns(language=language_of(pl.col("zh_share")))
    foreign, letters = pl.when(chinese).then("latin").otherwise("han"), pl.col("han") + pl.col("latin")
    contaminated = pl.col("language") == pl.when(chinese).then(pl.lit("en")).otherwise(pl.lit("zh"))
    mixed = pl.col("language") == "mixed"
    return counted.with_columns(
        contaminated=contaminated,
        contaminated_any=contaminated | mixed,
        foreign_characters=pl.when(letters > 0).then(foreign / letters),
        foreign_position=pl.when(contaminated | mixed).then(pl.col("begins") / text.str.len_chars()),
    )


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
        "queries": record.get("queries"),
        "tokens": record["answer_tokens"],
        "characters": len(answer),
        "words": len(tokens),
        "ttr_100": ttr_of_first(tokens, EQUAL_LENGTH),
        **diversity(tokens),
        "finished": record["finish_reason"] and record["finish_reason"] == "stop" and bool(answer),
    }
