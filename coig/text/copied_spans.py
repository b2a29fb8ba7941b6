"""Find what answers copy from texts, exactly: every span of at least 13 Chinese characters or 8 English words.

A token is a Chinese character or a word of an alphabet. A span counts from LEAST on, where a character weighs 8 and a
word 13; in a text that mixes both, a span may be found a token short. The smallest such spans of the answers are hashed
to 64 bits and looked up in all texts (Karp & Rabin 1987, IBM J. Res. Dev. 31:249); two different spans share a hash
with a probability of about 10⁻⁵ for a million in the answers and 30 million in the texts. What is found is sorted by
what follows it (suffix array by prefix doubling, Manber & Myers 1993, SIAM J. Comput. 22:935), which gives the longest
span that begins at each place. Nothing is sampled.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coig.text.cleaning import simplified_characters
from coig.text.shingles import FIRST_OF_CJK, Shingles, code_points, is_letter, mix

Ints = NDArray[np.int64]
CHARACTER_WEIGHT, WORD_WEIGHT = 8, 13
LEAST = 104  # 13 Chinese characters or 8 words
APOSTROPHES = "'’`‘ʼ"  # "don’t" is one word, whichever of them is in it
SPACE, APOSTROPHE = 0, 1  # what `_fold` makes of all that is no letter or digit
BATCH = 1 << 20  # characters read at a time
FILTER_BITS = 26  # of a hash, which tell most spans of the texts from those of the answers
BASE = 0x9E3779B97F4A7C15  # of the polynomial; odd, so that it has an inverse modulo 2⁶⁴


@dataclass(frozen=True)
class Tokens:
    """The tokens of several texts, end to end, and the smallest spans that begin at them.

    text, start, end: (T,), each token's text, its first character in it, and the one behind its last. span, span_end:
    (S,), each smallest span's first token, and the one behind its last. hashes: (S,) uint64, equal for equal spans.
    """

    text: Ints
    start: Ints
    end: Ints
    span: Ints
    span_end: Ints
    hashes: Shingles


@dataclass(frozen=True)
class Match:
    """What one answer has in common with texts.

    share: of the characters of its words, those within copied spans; 0–1. place, end: first character of its longest
    span in its NFC form, and the one behind its last; 0 without a span. source: number of the text with this span.
    nearest: number of the text that has most of its different smallest spans. Both are −1 without a span.
    """

    share: float
    place: int
    end: int
    source: int
    nearest: int

    @property
    def longest(self) -> int:
        """Return the number of characters of the longest span, with what is between its words."""
        return self.end - self.place


class CopiedSpans:
    """The spans that answers share with texts, from which `match` reads what each answer copied.

    Args:
        answers, texts: in Chinese and English; traditional and simplified characters, case and width are alike.
    """

    def __init__(self, answers: Sequence[str], texts: Sequence[str]) -> None:
        self._answers = [tokenize([answer]) for answer in answers]
        known = np.unique(np.concatenate([np.empty(0, np.uint64), *(one.hashes for one in self._answers)]))
        self._ids = [np.searchsorted(known, one.hashes) for one in self._answers]
        found = list(_occurrences(texts, known))
        self._text, self._token, self._id = (
            np.concatenate([np.empty(0, np.int64), *(part[place] for part in found)]) for place in range(3)
        )
        self._count, self._spans = len(texts), len(known)

    def match(self, answers: Sequence[int], texts: Ints) -> list[Match]:
        """Return for each of `answers`, in this order, what it has in common with `texts`, and no other texts.

        Answers and texts are given by their places in what the constructor was given; a Match names texts so, too.
        """
        chosen, asked = np.zeros(self._count, np.bool_), np.zeros(self._spans, np.bool_)
        chosen[texts] = True
        for answer in answers:
            asked[self._ids[answer]] = True
        kept = chosen[self._text] & asked[self._id]
        text, token, spans = self._text[kept], self._token[kept], self._id[kept]
        is_known = np.zeros(self._spans, np.bool_)
        is_known[spans] = True
        nearest = self._nearest(answers, text, spans, is_known)
        lengths, sources = self._longest(answers, text, token, spans, is_known)
        return [
            _describe(self._answers[answer], is_known[self._ids[answer]], length, source, int(near))
            for answer, length, source, near in zip(answers, lengths, sources, nearest, strict=True)
        ]

    def _nearest(self, answers: Sequence[int], text: Ints, spans: Ints, is_known: NDArray[np.bool_]) -> Ints:
        """Return for each answer the text that has most of its different spans, (A,), the first of equal ones.

        It is −1 if no text has one.
        """
        width = self._spans
        of_texts = _presence(text, spans, (self._count, width))
        rows = [np.full(len(self._ids[answer]), place) for place, answer in enumerate(answers)]
        columns = np.concatenate([np.empty(0, np.int64), *(self._ids[answer] for answer in answers)])
        mine = np.concatenate([np.empty(0, np.int64), *rows])
        of_answers = _presence(mine[is_known[columns]], columns[is_known[columns]], (len(answers), width))
        shared = of_answers @ of_texts.T.tocsr()
        most = shared.max(axis=1).toarray()
        return np.where(most > 0, shared.argmax(axis=1), -1)

    def _longest(
        self, answers: Sequence[int], text: Ints, token: Ints, spans: Ints, is_known: NDArray[np.bool_]
    ) -> tuple[list[Ints], list[Ints]]:
        """Return for each answer how many spans in a row are copied from each of its spans on, and from which text.

        Both are (S,) for an answer of S spans; 0 and −1 where the span itself is in no text.
        """
        places = [np.flatnonzero(is_known[self._ids[answer]]) for answer in answers]
        lines = np.repeat(np.arange(len(answers)), [len(place) for place in places])
        where = np.concatenate([np.empty(0, np.int64), *places])
        symbols = np.concatenate(
            [np.empty(0, np.int64), *(self._ids[a][p] for a, p in zip(answers, places, strict=True))]
        )
        follows = _follows(np.concatenate([lines, text + len(answers)]), np.concatenate([where, token]))
        length, at = _longest_common(np.concatenate([symbols, spans]), follows, len(symbols))
        lengths, sources = [], []
        bounds = np.cumsum([0, *(len(place) for place in places)])
        for answer, place, first, last in zip(answers, places, bounds, bounds[1:], strict=False):
            lengths.append(np.zeros(len(self._ids[answer]), np.int64))
            sources.append(np.full(len(self._ids[answer]), -1))
            lengths[-1][place], sources[-1][place] = length[first:last], text[at[first:last]]
        return lengths, sources


def tokenize(texts: Sequence[str]) -> Tokens:
    """Return the tokens of texts and their smallest spans; no span reaches from one text into the next."""
    codes = [_fold(text) for text in texts]
    joined = np.concatenate([part for code in codes for part in (code, np.zeros(1, np.uint32))])
    offsets = np.cumsum([0, *(len(code) + 1 for code in codes)])
    kept = np.flatnonzero(joined != APOSTROPHE)
    folded = joined[kept]
    is_word = (folded != SPACE) & (folded < FIRST_OF_CJK)
    first = np.flatnonzero((folded >= FIRST_OF_CJK) | (is_word & ~np.append(False, is_word[:-1])))
    last = np.flatnonzero((folded >= FIRST_OF_CJK) | (is_word & ~np.append(is_word[1:], False)))
    text = np.searchsorted(offsets, kept[first], side="right") - 1
    weights = np.where(is_word[first], WORD_WEIGHT, CHARACTER_WEIGHT)
    reached = np.cumsum(np.append(0, weights))
    ends = np.searchsorted(reached, reached[:-1] + LEAST)
    span = np.flatnonzero(ends <= len(first))
    span = span[text[span] == text[ends[span] - 1]]
    hashes = _hash_spans(_hash_words(folded, first, last), span, ends[span])
    return Tokens(text, kept[first] - offsets[text], kept[last] + 1 - offsets[text], span, ends[span], hashes)


def _fold(text: str) -> NDArray[np.uint32]:
    """Return a code for each character of a text in NFC: equal for letters and digits that count as one.

    Apostrophes are APOSTROPHE, all other characters SPACE.
    """
    return _fold_table()[code_points(unicodedata.normalize("NFC", text))]


@cache
def _fold_table() -> NDArray[np.uint32]:
    """Return for each code point of a letter or digit that of its simplified, lower-case form of usual width.

    Apostrophes are APOSTROPHE, all other code points SPACE.
    """
    table, simplified = np.zeros(0x110000, np.uint32), simplified_characters()
    for code in np.flatnonzero(is_letter()).tolist():
        folded = unicodedata.normalize("NFKC", chr(code)).casefold()
        only = ord(folded) if len(folded) == 1 else code
        table[code] = simplified.get(only, only)
    table[[ord(mark) for mark in APOSTROPHES]] = APOSTROPHE
    return table


def _hash_words(folded: NDArray[np.uint32], first: Ints, last: Ints) -> Shingles:
    """Return a hash of each token, (T,), whose characters are those from `first` to `last` in `folded`."""
    if not len(first):
        return np.empty(0, np.uint64)
    sizes = last - first + 1
    powers = _powers(BASE, int(sizes.max()))
    inside = np.repeat(first - np.cumsum(np.append(0, sizes[:-1])), sizes) + np.arange(sizes.sum())
    place = inside - np.repeat(first, sizes)
    values = mix(folded[inside].astype(np.uint64) + np.uint64(1)) * powers[place]
    return mix(np.add.reduceat(values, np.cumsum(np.append(0, sizes[:-1]))))


def _hash_spans(tokens: Shingles, begin: Ints, end: Ints) -> Shingles:
    """Return a hash of each span of tokens from `begin` to before `end`, (S,), from the tokens' hashes."""
    sums = np.append(np.uint64(0), np.cumsum(tokens * _powers(BASE, len(tokens)), dtype=np.uint64))
    return mix((sums[end] - sums[begin]) * _powers(pow(BASE, -1, 1 << 64), len(tokens))[begin])


def _powers(base: int, count: int) -> Shingles:
    """Return the powers 0 … count − 1 of a base modulo 2⁶⁴."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _occurrences(texts: Sequence[str], known: Shingles) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield (text, token, place in `known`) of each smallest span of the texts that is known, batch by batch.

    Args:
        known: sorted hashes.
    """
    shift = np.uint64(64 - FILTER_BITS)
    passes = np.zeros(1 << FILTER_BITS, np.bool_)
    passes[known >> shift] = True
    done = 0
    while done < len(texts) and len(known):
        batch: list[str] = []
        size = 0
        while done + len(batch) < len(texts) and size < BATCH:
            batch.append(texts[done + len(batch)])
            size += len(batch[-1])
        tokens = tokenize(batch)
        likely = np.flatnonzero(passes[tokens.hashes >> shift])
        hashes = tokens.hashes[likely]
        places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
        is_known = known[places] == hashes
        span = tokens.span[likely[is_known]]
        yield tokens.text[span] + done, span, places[is_known]
        done += len(batch)


def _presence(rows: Ints, columns: Ints, shape: tuple[int, int]) -> csr_array:
    """Return a sparse matrix of `shape` with 1 at each place (rows[i], columns[i]); a place may be given twice."""
    places = np.unique(rows * shape[1] + columns)
    ones = np.ones(len(places), np.int32)
    return csr_array((ones, (places // shape[1], places % shape[1])), shape=shape)


def _follows(lines: Ints, places: Ints) -> NDArray[np.bool_]:
    """Tell for each entry whether the next one is in the same line, one place further, (N,)."""
    same = (lines[1:] == lines[:-1]) & (places[1:] == places[:-1] + 1)
    return np.append(same, np.zeros(min(1, len(lines)), np.bool_))


def _longest_common(symbols: Ints, follows: NDArray[np.bool_], count: int) -> tuple[Ints, Ints]:
    """Return for each of the first `count` symbols how many in a row from it on are also among the others, and where.

    Args:
        symbols: (N,). follows: (N,), whether the next symbol continues this one's row.

    Returns lengths, (count,), and places in the others, (count,).
    """
    ranks, reach = [np.unique(symbols, return_inverse=True)[1]], 1
    stops = np.flatnonzero(~follows)
    left = stops[np.searchsorted(stops, np.arange(len(symbols)))] - np.arange(len(symbols)) + 1  # symbols in the row
    while reach < left.max(initial=0):
        ranks.append(_double(ranks[-1], left, reach))
        reach *= 2
    order = np.lexsort((ranks[-1],))
    others = np.where(order >= count, np.arange(len(order)), -1)
    before = np.maximum.accumulate(others)
    after = np.minimum.accumulate(np.where(others < 0, len(order), others)[::-1])[::-1]
    place = np.flatnonzero(order < count)
    lengths, at = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for neighbour in (before[place], after[place]):
        there = (neighbour >= 0) & (neighbour < len(order))
        mine, other = order[place[there]], order[neighbour[there]]
        common = _common(ranks, left, mine, other)
        longer = common > lengths[mine]
        lengths[mine[longer]], at[mine[longer]] = common[longer], other[longer] - count
    return lengths, at


def _double(rank: Ints, left: Ints, reach: int) -> Ints:
    """Return the ranks of rows of 2 · `reach` symbols from those of `reach`; a shorter row comes before its longer."""
    longer = left > reach
    second = np.zeros(len(rank), np.int64)
    second[longer] = rank[np.flatnonzero(longer) + reach] + 1
    doubled: Ints = np.unique(rank * (len(rank) + 1) + second, return_inverse=True)[1]
    return doubled


def _common(ranks: Sequence[Ints], left: Ints, first: Ints, second: Ints) -> Ints:
    """Return how many symbols in a row are equal from each pair of places on, from the ranks of 1, 2, 4 … symbols."""
    length, most = np.zeros(len(first), np.int64), np.minimum(left[first], left[second])
    for level in reversed(range(len(ranks))):
        step = 1 << level
        fits = length + step <= most
        here, there = (np.where(fits, one + length, 0) for one in (first, second))
        equal = fits & (ranks[level][here] == ranks[level][there])
        length += step * equal
    return length


def _describe(tokens: Tokens, is_copied: NDArray[np.bool_], length: Ints, source: Ints, nearest: int) -> Match:
    """Return an answer's match.

    Args:
        is_copied, length, source: (S,) for each smallest span of the answer.
    """
    sizes = tokens.end - tokens.start
    if not is_copied.any():
        return Match(0.0, 0, 0, -1, -1)
    edges = np.zeros(len(sizes) + 1, np.int64)
    np.add.at(edges, tokens.span[is_copied], 1)
    np.add.at(edges, tokens.span_end[is_copied], -1)
    covered = np.cumsum(edges)[:-1] > 0
    begins = np.flatnonzero(length)
    first, last = tokens.start[tokens.span[begins]], tokens.end[tokens.span_end[begins + length[begins] - 1] - 1]
    best = int((last - first).argmax())
    share = float(sizes[covered].sum() / sizes.sum())
    return Match(share, int(first[best]), int(last[best]), int(source[begins[best]]), nearest)
