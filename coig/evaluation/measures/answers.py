"""Measure the arms' answers in a frame of one row per answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from coig.records.answer import Answer
from coig.study.roster import Roster
from coig.text.language import HAN_LETTERS, LATIN_LETTERS, language_of, script_share
from coig.text.language_codes import LANGUAGES
from coig.text.lexical import Measures, measure_texts

DIVERSITY = ("ttr", "ttr_100", "mattr", "mtld", "hdd", "distinct_2", "distinct_3", "self_repetition")
SCHEMA = {
    "arm": pl.String,
    "lang": pl.String,
    "genre": pl.String,
    "query_id": pl.String,
    "queries": pl.String,  # name of the file of queries; null for answers that coig did not generate
    "query": pl.String,
    "reasoning": pl.String,
    "answer": pl.String,
    "tokens": pl.Int64,
    "characters": pl.Int64,
    "words": pl.Int64,
    **dict.fromkeys(DIVERSITY, pl.Float64),  # null for an answer too short for the measure
    "language": pl.String,
    "zh_share": pl.Float64,  # null for an answer without script
    # at least four fifths of the script are the other language's; null where the arm's answers are mostly empty
    "contaminated": pl.Boolean,
    "contaminated_any": pl.Boolean,  # contaminated, or a mix of both languages; null like contaminated
    "foreign_characters": pl.Float64,  # the other script's share of the letters; null for an answer without letters
    "foreign_position": pl.Float64,  # 0–1, where the other script begins; null without contamination
    "finished": pl.Boolean,  # ended by itself and is not empty; null if not recorded
    # null until `compare_texts` fills them in, and where the arm's training texts are not known
    "copied": pl.Float64,  # share of the answer within spans of a training text
    "longest_copied": pl.Int64,  # characters of its longest span
    "near_copy": pl.Boolean,
    "sameness": pl.Float64,  # see `measure_likeness`; null for an answer too short or alone in its genre
}
MOSTLY_EMPTY = 0.5  # share of an arm's answers to one language's queries; where more are empty, the rest tells nothing
COMPARED = ("copied", "longest_copied", "near_copy", "sameness")


def measure_answers(answers: Iterable[tuple[str | None, Answer]], roster: Roster) -> pl.DataFrame:
    """Measure each answer by itself; return a row per answer with the columns of SCHEMA, those of COMPARED still null.

    `compare_texts` fills these in. Rows are sorted by language (Chinese first), then by the arm's place in the roster,
    which must have every arm, then by query id.

    Args:
        answers: each with the name of its file of queries, None for an answer that coig did not generate.
    """
    place = {name: number for number, name in enumerate(roster.names)}
    ordered = sorted(answers, key=lambda pair: (LANGUAGES.index(pair[1].lang), place[pair[1].arm], pair[1].query_id))
    measured = measure_texts([answer.answer for _, answer in ordered])
    rows = [_make_row(answer, queries, found) for (queries, answer), found in zip(ordered, measured, strict=True)]
    return _with_contamination(pl.DataFrame(rows, schema_overrides=SCHEMA)).select(list(SCHEMA))


def _with_contamination(answers: pl.DataFrame) -> pl.DataFrame:
    """Add zh_share, language, contaminated, contaminated_any, foreign_characters and foreign_position to the answers.

    `contaminated`: the answer's language is not `lang` but the other; `contaminated_any`: or it is `mixed`. An answer
    without letters has the language `und`, is neither, and has null in the other three columns. Both are null where
    an arm's answers are mostly empty, as `is_mostly_empty` says.
    """
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
        contaminated=pl.when(~is_mostly_empty()).then(contaminated),
        contaminated_any=pl.when(~is_mostly_empty()).then(contaminated | mixed),
        foreign_characters=pl.when(letters > 0).then(foreign / letters),
        foreign_position=pl.when(contaminated | mixed).then(pl.col("begins") / text.str.len_chars()),
    ).drop("han", "latin", "begins")


def is_mostly_empty() -> pl.Expr:
    """Tell for each answer whether more than MOSTLY_EMPTY of its arm's answers in its language are empty."""
    return (pl.col("answer") == "").mean().over("lang", "arm") > MOSTLY_EMPTY


def _make_row(answer: Answer, queries: str | None, measured: Measures) -> dict[str, Any]:
    """Return the columns of SCHEMA for one answer, without those that `_with_contamination` adds."""
    return {
        **{key: getattr(answer, key) for key in ("arm", "lang", "genre", "query_id", "query", "reasoning", "answer")},
        "queries": queries,
        "tokens": answer.answer_tokens,
        "characters": len(answer.answer),
        **measured,
        **dict.fromkeys(COMPARED),
        "finished": answer.finish_reason and answer.finish_reason == "stop" and bool(answer.answer),
    }
