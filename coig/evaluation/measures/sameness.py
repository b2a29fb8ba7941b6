"""Measure how alike an arm's answers are, between samples of a prompt and between prompts (docs/measures.md).

Texts are compared at equal length, by their first WORDS words: a longer text has more words in common with any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from scipy.special import stdtrit

from coig.statistics.intervals import FEWEST, Floats
from coig.text.overlap import Ints, Set, count_shared, jaccard
from coig.text.words import split_words

WORDS = 50  # at which texts are compared; shorter ones are left out
READ = 400  # characters of a text, which most often hold so many words
BLOCK = 512  # texts that are compared with all others at a time, which bounds the memory
PEOPLE = "people's texts"  # instead of an arm's name: the creative texts that the arms were trained on
SAMPLES, GENRE, ALL = "samples of a prompt", "prompts of a genre", "all prompts"
SAMENESS: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm", "between"), pl.String),
    **dict.fromkeys(("prompts", "texts"), pl.Int64),
    **dict.fromkeys(("similarity", "similarity_low", "similarity_high"), pl.Float64),
    **dict.fromkeys(("distinct_2", "distinct_2_low", "distinct_2_high"), pl.Float64),
}
Frame = pl.DataFrame


def measure_sameness(samples: Frame, people: Frame) -> Frame:
    """Compare each arm's answers with each other; return the table SAMENESS.

    `similarity` is the mean over pairs of texts of the different words in both / in either (Jaccard). `distinct_2` is
    that of the different pairs of adjacent words / all of them, in the two texts together (Li et al. 2016, NAACL,
    110–119). Samples of a prompt are compared with each other, and first samples between the prompts of a genre and
    between all prompts: up to three rows of an arm in a language, none where no two texts of WORDS words can be
    compared. Intervals are Student's t over prompts, null below FEWEST prompts.

    Args:
        samples: all answers, with the columns lang, arm, genre, query_id, sample and answer.
        people: people's texts, each of a prompt of its own, with the columns lang, genre and answer.
    """
    of_people = people.with_row_index("row").with_columns(
        arm=pl.lit(PEOPLE), query_id=pl.col("row").cast(pl.String), sample=pl.lit(0)
    )
    columns = ("lang", "arm", "genre", "query_id", "sample", "answer")
    everything = _with_words(pl.concat([samples.select(columns), of_people.select(columns)], how="vertical_relaxed"))
    rows = []
    for (lang, arm), part in everything.group_by("lang", "arm", maintain_order=True):
        for between, grouped in _groups(part):
            if row := _summarize(grouped):
                rows.append({"lang": lang, "arm": arm, "between": between} | row)
    return pl.DataFrame([{key: row[key] for key in SAMENESS} for row in rows], schema=SAMENESS)


def measure_likeness(answers: Frame) -> pl.Series:
    """Return for each answer a value whose mean over an arm's prompts is their similarity, as in `measure_sameness`.

    An answer is compared with the arm's other answers in its genre; in a language in which no arm answered two prompts
    of a genre, with all of the arm's other answers. Values are null for an answer of fewer than WORDS words and for one
    without another to compare. The spread of the values gives the error of the mean.

    Args:
        answers: with the columns lang, arm, genre, query_id and answer, one answer of an arm for each prompt.
    """
    numbered = _with_words(answers).with_row_index("row")
    values = np.full(len(answers), np.nan)
    for _, of_lang in numbered.group_by("lang", maintain_order=True):
        within = of_lang.drop_nulls("genre").select("arm", "genre")
        group = pl.col("genre") if within.is_duplicated().any() else pl.lit("")
        for _, part in of_lang.with_columns(group=group).drop_nulls("group").group_by("arm", maintain_order=True):
            found = _compare_within(part)
            own = np.isfinite(found.similarity)
            values[part["row"].to_numpy()[own]] = _pseudo_values(found.similarity[own])
    return pl.Series("sameness", values).fill_nan(None)


def _with_words(texts: Frame) -> Frame:
    """Add the columns `words` and `pairs`: ids of the different words and pairs of adjacent words in each beginning.

    A beginning is the first WORDS words of `answer`; both columns are null for a shorter answer. Ids are sorted, and
    equal for equal words in all answers.
    """
    numbers: dict[str | tuple[str, str], int] = {}

    def number(items: Iterable[str | tuple[str, str]]) -> list[int]:
        """Return the sorted ids of the different items; an item that is new gets the next id."""
        return sorted({numbers.setdefault(item, len(numbers)) for item in items})

    beginnings = [_split_beginning(text) for text in texts["answer"]]
    columns = {
        "words": [number(first) if len(first) == WORDS else None for first in beginnings],
        "pairs": [number(pairwise(first)) if len(first) == WORDS else None for first in beginnings],
    }
    return texts.with_columns(pl.Series(name, lists, dtype=pl.List(pl.UInt64)) for name, lists in columns.items())


def _split_beginning(text: str) -> list[str]:
    """Return the first WORDS words of a text, as `split_words` gives them; all its words if it has fewer."""
    found = split_words(text[:READ])
    return (found if len(found) > WORDS or len(text) <= READ else split_words(text))[:WORDS]


def _groups(part: Frame) -> Iterator[tuple[str, Frame]]:
    """Yield SAMPLES, GENRE and ALL, each with its texts and a column `group`: only texts of one group are compared.

    SAMPLES has all texts, GENRE first samples with a genre, ALL first samples.
    """
    yield SAMPLES, part.with_columns(group=pl.col("query_id"))
    first = part.filter(sample=0)
    yield GENRE, first.drop_nulls("genre").with_columns(group=pl.col("genre"))
    yield ALL, first.with_columns(group=pl.lit(""))


@dataclass(frozen=True)
class Compared:
    """The mean likeness of each text to the others of its group, (N,) each; NaN for a text that is not compared."""

    similarity: Floats
    distinct_2: Floats


def _compare_within(part: Frame) -> Compared:
    """Compare each text with the others in its `group`; NaN for a text of fewer than WORDS words or without another."""
    long = part["words"].is_not_null().to_numpy()
    similarity, distinct = np.full(len(part), np.nan), np.full(len(part), np.nan)
    groups = part["group"].rank("dense").to_numpy() if len(part) else np.empty(0)
    for group in np.unique(groups[long]):
        rows = np.flatnonzero(long & (groups == group))
        if len(rows) > 1:
            words, pairs = ([one.to_numpy() for one in part[name].gather(rows)] for name in ("words", "pairs"))
            similarity[rows], distinct[rows] = _mean_over_others(words, jaccard), _mean_over_others(pairs, _distinct)
    return Compared(similarity, distinct)


def _mean_over_others(sets: Sequence[Set], measure: Callable[[Ints, Ints, Ints], Floats]) -> Floats:
    """Return for each of N sets the mean of a measure of this set and every other one, (N,).

    Args:
        sets: at least two.
        measure: of the numbers of shared elements and the two sets' sizes, which broadcast to (rows, N).
    """
    sizes = np.array([len(one) for one in sets], np.int64)
    means = []
    for first in range(0, len(sets), BLOCK):
        shared = count_shared(sets[first : first + BLOCK], sets).toarray().astype(np.int64)
        values = measure(shared, sizes[first : first + BLOCK, None], sizes[None, :])
        with_itself = values[np.arange(len(values)), first + np.arange(len(values))]
        means.append((values.sum(axis=1) - with_itself) / (len(sets) - 1))
    return np.concatenate(means)


def _distinct(shared: Ints, first: Ints, second: Ints) -> Floats:
    """Return the different pairs of adjacent words in two texts of WORDS words / all of their pairs.

    `shared`, `first` and `second` are the numbers of different pairs in both texts, in the first and in the second.
    """
    return (first + second - shared) / (2 * (WORDS - 1))


def _pseudo_values(values: Floats) -> Floats:
    """Return mean + 2 · (value − mean) of each value, so that their variance / their number is that of the mean.

    Each value is a mean over a prompt's pairs. These pairs are in the partners' means too, so the prompt's deviation
    counts twice (Hoeffding 1948, Annals of Mathematical Statistics 19:293). For a genre of two prompts that is more
    than need be: the variance is doubled.
    """
    mean = values.mean() if len(values) else 0.0
    return mean + 2 * (values - mean)


def _summarize(part: Frame) -> dict[str, Any] | None:
    """Return a row of SAMENESS without its first three columns; None if no two texts can be compared."""
    found = _compare_within(part)
    compared = np.isfinite(found.similarity)
    if not compared.any():
        return None
    prompts = part["query_id"].to_numpy()[compared]
    of_samples = len(np.unique(prompts)) < len(prompts)
    row: dict[str, Any] = {"prompts": len(np.unique(prompts)), "texts": int(compared.sum())}
    for name, values in (("similarity", found.similarity[compared]), ("distinct_2", found.distinct_2[compared])):
        spread = _by_prompt(values, prompts) if of_samples else _pseudo_values(values)
        row |= {name: float(spread.mean())} | _interval(name, spread)
    return row


def _by_prompt(values: Floats, prompts: Any) -> Floats:
    """Return the mean value of each prompt."""
    places = np.unique(prompts, return_inverse=True)[1]
    means: Floats = np.bincount(places, values) / np.bincount(places)
    return means


def _interval(name: str, values: Floats) -> dict[str, float | None]:
    """Return the 95 % limits of a mean as two columns; None for fewer than FEWEST values."""
    if len(values) < FEWEST:
        return {f"{name}_low": None, f"{name}_high": None}
    half = float(stdtrit(len(values) - 1, 0.975)) * values.std(ddof=1) / np.sqrt(len(values))
    return {f"{name}_low": float(values.mean() - half), f"{name}_high": float(values.mean() + half)}
