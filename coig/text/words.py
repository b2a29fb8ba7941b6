"""Split Chinese or English text into words; Chinese is segmented exactly like jieba."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import rjieba
from jieba import finalseg

from coig.text.language import HAN

CHINESE = re.compile(r"[\u4e00-\u9fd5]+")  # what jieba's model segments
START = tuple(finalseg.start_P[state] for state in "BMES")
TO_BEGIN, TO_MIDDLE, TO_END, TO_SINGLE = (
    {before: finalseg.trans_P[before][state] for before in finalseg.PrevStatus[state]} for state in "BMES"
)
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SINGLE = frozenset("+#&._%-") | {chr(code) for code in range(0x4E00, 0x9FD6)}  # single characters for jieba's model


def split_words(text: str) -> list[str]:
    """Return the lower-cased words of a text, without punctuation.

    Chinese words are those of jieba. The text between them is split like English, so a Han character in an English text
    does not change the other words.
    """
    text = text.lower()
    if not HAN.search(text):
        return WORD.findall(text)
    found: list[str] = []
    between = ""
    for word in segment(text):
        if HAN.search(word):
            if between:
                found += WORD.findall(between)
                between = ""
            found.append(word)
        elif between or word[0].isalnum():  # no word begins with punctuation
            between += word
    return found + WORD.findall(between)


def segment(text: str) -> list[str]:
    """Return exactly `jieba.lcut(text)`, but faster.

    rjieba finds the dictionary's words. jieba's own hidden Markov model segments the rest: rjieba's model is rounded to
    six decimals, so it decides close cases (常在他 …) differently, and it splits ASCII differently.
    """
    found: list[str] = []
    run = ""
    for word in rjieba.cut(text, hmm=False):
        if word in SINGLE or (word.isascii() and word.isalnum()):
            run += word
        else:
            if run:
                found += _unknown_words(run)
                run = ""
            found.append(word)
    if run:
        found += _unknown_words(run)
    return found


@lru_cache(maxsize=1 << 17)  # few different runs, often repeated
def _unknown_words(run: str) -> tuple[str, ...]:
    """Return the words of a run of text between two dictionary words, by jieba's hidden Markov model.

    A run that is itself a word of the dictionary is split into its characters.
    """
    if len(run) == 1 or rjieba.has_word(run):
        return tuple(run)
    return _most_likely_words(run) if CHINESE.fullmatch(run) else tuple(finalseg.cut(run))


def _most_likely_words(run: str) -> tuple[str, ...]:
    """Return `finalseg.cut` of a text of Chinese characters only: Viterbi decoding, unrolled for speed.

    The sums and their order are the same, so the words are too. The states of a character are B (begins a word), M
    (middle), E (ends it) and S (single-character word). Ties go to the state whose letter is later, as in jieba.
    """
    begin, middle, end, single = map(sum, zip(_emissions(run[0]), START, strict=True))
    came_from: list[tuple[str, str, str, str]] = []
    for character in run[1:]:
        of_begin, of_middle, of_end, of_single = _emissions(character)
        e_b, s_b = end + TO_BEGIN["E"] + of_begin, single + TO_BEGIN["S"] + of_begin
        b_m, m_m = begin + TO_MIDDLE["B"] + of_middle, middle + TO_MIDDLE["M"] + of_middle
        b_e, m_e = begin + TO_END["B"] + of_end, middle + TO_END["M"] + of_end
        e_s, s_s = end + TO_SINGLE["E"] + of_single, single + TO_SINGLE["S"] + of_single
        came_from.append(
            (
                "S" if s_b >= e_b else "E",
                "M" if m_m >= b_m else "B",
                "M" if m_e >= b_e else "B",
                "S" if s_s >= e_s else "E",
            )
        )
        begin, middle, end, single = max(e_b, s_b), max(b_m, m_m), max(b_e, m_e), max(e_s, s_s)
    state, words, stop = "S" if single >= end else "E", [], len(run)
    for place in range(len(run) - 1, -1, -1):
        if state in "BS":
            words.append(run[place:stop])
            stop = place
        if place:
            state = came_from[place - 1]["BMES".index(state)]
    return tuple(reversed(words))


@cache
def _emissions(character: str) -> tuple[float, ...]:
    """Return the log-probabilities of a character in the states B, M, E and S; jieba's MIN_FLOAT where unknown."""
    return tuple(finalseg.emit_P[state].get(character, finalseg.MIN_FLOAT) for state in "BMES")
