"""Cut a chain of reasoning into steps of a thought each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coig.text.language import HAN, HAN_PER_WORD, LATIN_WORD

SHORTEST_STEP = 10  # Han characters, or as much in Latin words
MOST_SENTENCES = 3
PARAGRAPH = re.compile(r"\n\s*\n")
CLOSING = r"[”’」』）)\]\"'*_]*"
SENTENCE_END = re.compile(  # a full stop ends one if white space follows, and no lower case behind it
    rf"[。！？]+{CLOSING}|\n+|(?<![.!?])(?:[.!?]+{CLOSING}(?=\s+[^\sa-z]|\s*$)|[!?]+{CLOSING}(?=[\u4e00-\u9fff]))"
)
ABBREVIATION = re.compile(  # or an initial, or the number of a list's item
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|Vol|Fig|Ch|Gen|Col|Sgt|Capt|Lt|Rev|Hon|Gov|cf|e\.g|i\.e|[A-HJ-Z])|^\W*\d+)\.$",
    re.MULTILINE,
)


def steps(reasoning: str) -> list[str]:
    """A chain of reasoning cut into steps of a thought each, one to three sentences.

    A step ends with a sentence or a line once it has 10 Chinese characters or 7 English words. Shorter ones (`Wait.`,
    a heading, a line of verse) go with what follows, three at most; a paragraph's short rest with the step before.
    """
    found = [step.strip() for paragraph in PARAGRAPH.split(reasoning) for step in _paragraph_steps(paragraph)]
    return [step for step in found if re.search(r"\w", step)]


def _paragraph_steps(paragraph: str) -> list[str]:
    found: list[str] = []
    start = sentences = 0
    for end in _sentence_ends(paragraph):
        sentences += 1
        if sentences == MOST_SENTENCES or _size(paragraph[start:end]) >= SHORTEST_STEP:
            found.append(paragraph[start:end])
            start, sentences = end, 0
    rest = paragraph[start:]
    if found and _size(rest) < SHORTEST_STEP:
        found[-1] += rest
    else:
        found.append(rest)
    return found


def _sentence_ends(paragraph: str) -> Iterator[int]:
    for mark in SENTENCE_END.finditer(paragraph):
        stop = mark.start() + 1
        if mark[0] != "." or not ABBREVIATION.search(paragraph, max(0, stop - 8), stop):
            yield mark.end()


def _size(text: str) -> float:
    return len(HAN.findall(text)) + HAN_PER_WORD * len(LATIN_WORD.findall(text))
