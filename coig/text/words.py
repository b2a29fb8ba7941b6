"""Cut a text of either language into words; Chinese is segmented as jieba does it."""

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
SINGLE = frozenset("+#&._%-") | {chr(code) for code in range(0x4E00, 0x9FD6)}  # what jieba's model may segment


def words(text: str) -> list[str]:
    """Return the lower-cased words of a text, without punctuation.

    Chinese words are those that jieba finds. Whatever stands between them is cut like English, so that a Han character
    in an English text changes no other word.
    """
    text = text.lower()
    if not HAN.search(text):
        return WORD.findall(text)
    found: list[str] = []
    between = ""
    for word in segmented(text):
        if HAN.search(word):
            if between:
                found += WORD.findall(between)
                between = ""
            found.append(word)
        elif between or word[0].isalnum():  # no word begins with punctuation
            between += word
    return found + WORD.findall(between)


def segmented(text: str) -> list[str]:
    """Exactly `jieba.lcut(text)`, faster.

    The words of the dictionary are rjieba's. What it leaves is segmented by jieba's own model: the one in rjieba has
    six decimals, so that close calls (常在他 …) end otherwise, and it cuts ASCII otherwise.
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


@lru_cache(maxsize=1 << 17)  # the same few come again and again
def _unknown_words(run: str) -> tuple[str, ...]:
    """Return the words of what stands between two words of the dictionary, by jieba's hidden Markov model."""
    if len(run) == 1 or rjieba.has_word(run):
        return tuple(run)
    return _most_likely_words(run) if CHINESE.fullmatch(run) else tuple(finalseg.cut(run))


def _most_likely_words(run: str) -> tuple[str, ...]:
    """Return what `finalseg.cut` makes of a text of Chinese characters only: the same sums in the same order, unrolled.

    A character begins a word, lies in its middle, ends it, or is one by itself (B, M, E, S); of equally likely ways to
    a state the one from the later letter is taken, as there.
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
    """Return the log-probabilities of a character in the states B, M, E and S."""
    return tuple(finalseg.emit_P[state].get(character, finalseg.MIN_FLOAT) for state in "BMES")
