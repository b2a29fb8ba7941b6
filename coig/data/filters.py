"""Which rows of a source are used: its filters, each counted under a name of its own."""

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
from coig.text.words import words

log = logging.getLogger(__name__)
Reason = tuple[str, pl.Expr]  # under which name to count the rows that the expression holds for
Ids = NDArray[np.int32]
WORTH_A_LINE = 20_000  # texts whose words take long enough to count to say so
HALVES = {"row": pl.UInt32, "half": pl.String, "words": pl.Int64, "ttr": pl.Float64}


def reasons_of(filters: Filters) -> list[Reason]:
    """Return the reasons for which rows are removed; a row that lacks what a filter asks about is removed too."""
    of_own_script = pl.when(pl.col("lang") == "zh").then("script_share").otherwise(1 - pl.col("script_share"))
    asked: list[tuple[str, Any, Callable[[Any], pl.Expr]]] = [
        ("score", filters.min_score, lambda least: pl.col("score").is_null() | (pl.col("score") < least)),
        ("language", filters.min_language_share, lambda least: of_own_script.is_null() | (of_own_script < least)),
        ("length", filters.min_characters, lambda least: pl.col("characters") < least),
        ("length", filters.max_characters, lambda most: pl.col("characters") > most),
        ("topic", filters.topics, lambda patterns: ~_topic_is_one_of(patterns)),
        ("topic", filters.not_topics, lambda patterns: _topic_is_one_of(patterns)),
    ]
    reasons = [(name, unfit(value)) for name, value, unfit in asked if value is not None]
    if filters.aligned:  # both versions must be fit for use, whichever is used
        unfit = pl.any_horizontal(pl.lit(False), *(holds.fill_null(value=False) for _, holds in reasons))
        languages = pl.when(~unfit).then("lang").drop_nulls().n_unique().over("id")
        reasons.append(("unaligned", languages < 2))
    if filters.languages:
        reasons.append(("language", ~pl.col("lang").is_in(filters.languages)))
    return reasons


def _topic_is_one_of(patterns: Sequence[str]) -> pl.Expr:
    """Tell whether the genre matches one of the shell patterns; a row without a genre matches none."""
    matches = [pl.col("genre").str.contains(_regex(pattern)) for pattern in patterns]
    return pl.any_horizontal(pl.lit(False), *matches).fill_null(value=False)


def _regex(pattern: str) -> str:
    """A shell pattern as polars takes it: `*` and `?`, the rest stands for itself."""
    return "^(?s:" + re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") + ")$"


def diverse_half(pool: Pool, lines: pl.DataFrame, half: Half) -> tuple[pl.DataFrame, dict[str, float]]:
    """The half of a pool's lines that is more, or less, diverse at equal length; and its mean words and TTR.

    Texts of one language are paired with their neighbours in length; of each pair, the one of the higher TTR at the
    shorter one's length goes to the high half. A last text without a neighbour is in neither. The text is the answer;
    of general examples, whose answer may be a number, the reasoning too.
    """
    of_half = _halves(pool, tuple(lines["row"])).filter(half=half)
    means = {name: round(float(of_half[name].mean() or 0), 4) for name in ("words", "ttr")}  # type: ignore[arg-type]
    return lines.join(of_half, on="row", how="semi", maintain_order="left"), means


@lru_cache(maxsize=8)  # the arms of a sweep ask for the same
def _halves(pool: Pool, rows: tuple[int, ...]) -> pl.DataFrame:
    """A line for each paired text: row, half, words, ttr."""
    if len(rows) > WORTH_A_LINE:
        log.info("%s: counting the words of %s texts, for their diversity", pool.key, f"{len(rows):,}")
    numbers: dict[str, int] = {}
    texts: dict[str, list[tuple[int, Ids]]] = {}
    for row, example in zip(sorted(rows), pool.examples(rows), strict=True):
        text = example.answer if pool.kind == "creative" else f"{example.reasoning}\n{example.answer}"
        ids = np.array([numbers.setdefault(word, len(numbers)) for word in words(text)], dtype=np.int32)
        texts.setdefault(example.lang, []).append((row, ids))
    found = [line for of_language in texts.values() for line in _paired(of_language)]
    return pl.DataFrame(found, schema=HALVES, orient="row")


def _paired(texts: Sequence[tuple[int, Ids]]) -> Iterator[tuple[int, Half, int, float]]:
    by_length = sorted(texts, key=lambda text: (len(text[1]), text[0]))
    for pair in zip(by_length[::2], by_length[1::2], strict=False):
        common = max(1, len(pair[0][1]))
        ttrs = [(len(np.unique(ids[:common])) / common, row, len(ids)) for row, ids in pair]
        for half, (ttr, row, length) in zip(get_args(Half), sorted(ttrs), strict=True):
            yield row, half, length, ttr
