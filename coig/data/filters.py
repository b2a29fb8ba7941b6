"""Turn a source's filters into reasons to remove rows, and choose the lexically more or less diverse half."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.config import Filters
from coig.config.fields import Half
from coig.data.pools import Pool
from coig.text.words import split_words

log = logging.getLogger(__name__)
Reason = tuple[str, pl.Expr]  # the name under which removed rows are counted, and when a row is removed
Ids = NDArray[np.int32]
WORTH_A_LINE = 20_000  # texts; counting the words of more takes long enough to be logged
HALVES = {"row": pl.UInt32, "half": pl.String, "words": pl.Int64, "ttr": pl.Float64}


def reasons_of(filters: Filters, *, needs_reasoning: bool) -> list[Reason]:
    """Return (name, expression true where a row of a pool's index is removed) for each filter but `diversity`.

    The index has a further column `is_copy`, true for a row whose texts a row with an earlier id has. Several reasons
    may have one name. A row without a value for what a filter tests (score, script share, a genre for `topics`) is
    removed too. With `aligned`, so is a row whose other language version is missing, a copy, or removed by a filter
    other than `languages`.
    """
    of_own_script = pl.when(pl.col("lang") == "zh").then("script_share").otherwise(1 - pl.col("script_share"))
    tests: list[tuple[str, Any, Callable[[Any], pl.Expr]]] = [
        ("score", filters.min_score, lambda least: pl.col("score").is_null() | (pl.col("score") < least)),
        ("language", filters.min_language_share, lambda least: of_own_script.is_null() | (of_own_script < least)),
        ("length", filters.min_characters, lambda least: pl.col("characters") < least),
        ("length", filters.max_characters, lambda most: pl.col("characters") > most),
        ("topic", filters.topics, lambda patterns: ~_topic_is_one_of(patterns)),
        ("topic", filters.not_topics, lambda patterns: _topic_is_one_of(patterns)),
    ]
    reasons = [("no_reasoning", ~pl.col("has_reasoning"))] if needs_reasoning else []
    reasons += [(name, unfit(value)) for name, value, unfit in tests if value is not None]
    if filters.aligned:  # a triplet is used only if both of its language versions are
        unfit = pl.any_horizontal("is_copy", *(holds.fill_null(value=False) for _, holds in reasons))
        languages = pl.when(~unfit).then("lang").drop_nulls().n_unique().over("id")
        reasons.append(("unaligned", languages < 2))
    if filters.languages:
        reasons.append(("language", ~pl.col("lang").is_in(filters.languages)))
    return reasons


def _topic_is_one_of(patterns: Sequence[str]) -> pl.Expr:
    """Return an expression that is true where the genre matches one of the shell patterns, false without a genre."""
    matches = [pl.col("genre").str.contains(_regex(pattern)) for pattern in patterns]
    return pl.any_horizontal(pl.lit(False), *matches).fill_null(value=False)


def _regex(pattern: str) -> str:
    """Return a shell pattern as a regular expression; only `*` and `?` are special."""
    return "^(?s:" + re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") + ")$"


def diverse_half(pool: Pool, lines: pl.DataFrame, half: Half) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return the half of a pool's lines with the higher or lower type-token ratio (TTR), in the lines' order.

    Also return this half's means as {"words": words per text, "ttr": TTR}. Both halves have about the same lengths:
    texts of one language are sorted by length and paired with their neighbours. Within a pair the TTRs are compared
    over as many words as the shorter text has. An odd last text is in neither half. The text is the answer; for general
    examples, whose answers may be mere numbers, the reasoning and the answer.
    """
    of_half = _halves(pool, tuple(lines["row"])).filter(half=half)
    means = {name: round(float(of_half[name].mean() or 0), 4) for name in ("words", "ttr")}  # type: ignore[arg-type]
    return lines.join(of_half, on="row", how="semi", maintain_order="left"), means


@lru_cache(maxsize=8)  # the arms of a sweep use the same pools
def _halves(pool: Pool, rows: tuple[int, ...]) -> pl.DataFrame:
    """Return a frame with a line for each of these rows that is paired: row, half, number of words, TTR."""
    if len(rows) > WORTH_A_LINE:
        log.info("%s: counting the words of %s texts, for their diversity", pool.key, f"{len(rows):,}")
    numbers: dict[str, int] = {}
    texts: dict[str, list[tuple[int, Ids]]] = {}
    for row, example in zip(sorted(rows), pool.examples(rows), strict=True):
        text = example.answer if pool.kind == "creative" else f"{example.reasoning}\n{example.answer}"
        ids = np.array([numbers.setdefault(word, len(numbers)) for word in split_words(text)], dtype=np.int32)
        texts.setdefault(example.lang, []).append((row, ids))
    found = [line for of_language in texts.values() for line in _pair_by_length(of_language)]
    return pl.DataFrame(found, schema=HALVES, orient="row")


def _pair_by_length(texts: Sequence[tuple[int, Ids]]) -> Iterator[tuple[int, Half, int, float]]:
    """Pair texts, given as (row, word ids), by length; yield (row, half, number of words, TTR) for each of a pair.

    The TTR is that of the first words, as many as the shorter text of the pair has. Of two equal TTRs, that of the
    smaller row counts as the lower one. An odd longest text is left out.
    """
    by_length = sorted(texts, key=lambda text: (len(text[1]), text[0]))
    for pair in zip(by_length[::2], by_length[1::2], strict=False):
        common = max(1, len(pair[0][1]))
        ttrs = [(len(np.unique(ids[:common])) / common, row, len(ids)) for row, ids in pair]
        for half, (ttr, row, length) in zip(get_args(Half), sorted(ttrs), strict=True):
            yield row, half, length, ttr
