"""Split a chain of reasoning into steps of one thought each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coig.text.language import HAN, HAN_PER_WORD, LATIN_WORD

SHORTEST_STEP = 10  # Han characters; a Latin word counts as HAN_PER_WORD
MOST_SENTENCES = 3  # in a step
PARAGRAPH = re.compile(r"\n\s*\n")
CLOSING = r"[”’」』）)\]\"'*_]*"
SENTENCE_END = re.compile(  # a full stop ends a sentence only before white space and no lower-case letter
    rf"[。！？]+{CLOSING}|\n+|(?<![.!?])(?:[.!?]+{CLOSING}(?=\s+[^\sa-z]|\s*$)|[!?]+{CLOSING}(?=[\u4e00-\u9fff]))"
)
ABBREVIATION = re.compile(  # an abbreviation, an initial or the number of a list's item, with its full stop
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|Vol|Fig|Ch|Gen|Col|Sgt|Capt|Lt|Rev|Hon|Gov|cf|e\.g|i\.e|[A-HJ-Z])|^\W*\d+)\.$",
    re.MULTILINE,
)


def split_steps(reasoning: str) -> list[str]:
    """Split a chain of reasoning into steps of one to three sentences.

    A step ends at the end of a sentence or line once it has 10 Chinese characters or 7 English words. Shorter sentences
    (`Wait.`, a heading, a line of verse) are joined with the following ones, up to three in all. A short rest of a
    paragraph is added to the step before. A step without any letter or digit is left out.
    """
    found = [step.strip() for paragraph in PARAGRAPH.split(reasoning) for step in _paragraph_steps(paragraph)]
    return [step for step in found if re.search(r"\w", step)]


def _paragraph_steps(paragraph: str) -> list[str]:
    """Split one paragraph into steps at ends of sentences and lines; joined, the steps are the paragraph.

    A step ends once it has SHORTEST_STEP characters or MOST_SENTENCES sentences; a shorter rest joins the step before.
    """
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
    """Yield the index after each sentence or line; full stops of abbreviations end none."""
    for mark in SENTENCE_END.finditer(paragraph):
        stop = mark.start() + 1
        if mark[0] != "." or not ABBREVIATION.search(paragraph, max(0, stop - 8), stop):
            yield mark.end()


def _size(text: str) -> float:
    """Return a text's length in Han characters, a Latin word counting 1.6."""
    return len(HAN.findall(text)) + HAN_PER_WORD * len(LATIN_WORD.findall(text))
