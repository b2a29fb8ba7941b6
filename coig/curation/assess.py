"""Assess articles by rules on five dimensions: completeness, format, correctness, logical consistency, creativity.

The rules are transparent and cheap: they find what no editor would take, such as a text that breaks off. They say
nothing about how good a text is.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise

from coig.config import CurateConfig
from coig.config.curation import Assess
from coig.curation.records import State
from coig.curation.store import Store, Text
from coig.text.markup import TAG
from coig.text.words import split_words

log = logging.getLogger(__name__)
RULE = "rules of assessment"
DIMENSIONS = ("completeness", "format", "correctness", "logical consistency", "creativity")
ENDS = re.compile(r"[。！？!?….~～”’』」）)\]】》♪—]\s*$|[.!?]['\"]?\s*$")
CONTINUED = re.compile(
    r"(未完待续|待续|点击(?:查看|阅读)(?:全文|原文|更多)|展开全文|阅读全文|下一页"
    r"|to be continued|read more|continue reading|\[\.\.\.\])[\s。.…>»]*$",
    re.IGNORECASE,
)
VERSE = 30  # characters: texts whose lines are shorter on average may end without punctuation
DAMAGED = re.compile("[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f]|锟斤拷|烫烫烫|(?:Ã.|â€.){2}")
LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
MOST_LINKS = 3
PAIRS = ("（）", "《》", "「」", "『』", "“”", "【】")
UNPAIRED = 2  # brackets or quotation marks that may lack their partner
SENTENCE = re.compile(r"[^。！？!?\n]+[。！？!?\n]?")
SHORTEST_SENTENCE = 8  # characters; shorter ones, such as a refrain's, may be repeated
ORDINALS = "一二三四五六七八九十"
HEADING = re.compile(rf"^\s*第?([{ORDINALS}])[、章节]", re.MULTILINE)
WINDOW = 200  # words in which diversity is measured
FEWEST_WORDS = 50


@dataclass(frozen=True)
class Check:
    """The result of a dimension's rules: `reason` says what is wrong, "" if nothing is."""

    dimension: str
    reason: str


def assess(store: Store, config: CurateConfig) -> None:
    """Check every text in state `ingested`; it becomes `unfit` if it fails a dimension, else `assessed`.

    Stores the results as events, and logs how many passed or failed which dimension.
    """
    counts: Counter[str] = Counter()
    texts = store.read_texts({"ingested"})
    with store.writing() as pen:
        rule = pen.find_actor(RULE, "rule")
        for text in texts:
            checks = check_text(text, config.assess)
            failed = [check.dimension for check in checks if check.reason]
            state: State = "unfit" if failed else "assessed"
            said = {"checks": [asdict(check) for check in checks]}
            pen.add_event(text.id, "assess", state, {"failed": failed}, rule, said=said)
            counts.update(failed or ["passed"])
    log.info("assess: %s", ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "nothing waits")


def check_text(text: Text, limits: Assess) -> list[Check]:
    """Return the result of each of the five dimensions' checks, in the order of DIMENSIONS."""
    article = text.article
    reasons = (
        _completeness(article),
        _format(article, limits),
        _correctness(article),
        _consistency(article, limits),
        _creativity(article, text.about.get("engagement"), limits),
    )
    return [Check(name, "; ".join(found)) for name, found in zip(DIMENSIONS, reasons, strict=True)]


def _completeness(text: str) -> Iterator[str]:
    """Yield the reason if a text goes on elsewhere or, unless it is verse, ends without punctuation; else nothing."""
    lines = [line for line in text.split("\n") if line.strip()]
    if found := CONTINUED.search(text):
        yield f"goes on elsewhere (“{found[1]}”)"
    elif not ENDS.search(text) and sum(map(len, lines)) / max(1, len(lines)) > VERSE:
        yield f"breaks off at “{text[-8:].strip()}”"


def _format(text: str, limits: Assess) -> Iterator[str]:
    """Yield a reason for remains of HTML, damaged characters, too many links, and too many symbols."""
    if found := TAG.search(text):
        yield f"HTML is left ({found[0][:20]})"
    if found := DAMAGED.search(text):
        yield f"damaged characters at {found.start():,}"
    if (links := len(LINK.findall(text))) > MOST_LINKS:
        yield f"{links} links"
    symbols = sum(unicodedata.category(character)[0] in "SC" and character != "\n" for character in text)
    if symbols > limits.max_symbols * len(text):
        yield f"{symbols / len(text):.0%} are symbols"


def _correctness(text: str) -> Iterator[str]:
    """Yield a reason for each of PAIRS whose numbers of opening and closing marks differ by more than UNPAIRED."""
    for pair in PAIRS:
        if (difference := abs(text.count(pair[0]) - text.count(pair[1]))) > UNPAIRED:
            yield f"{difference} of {pair} have no partner"


def _consistency(text: str, limits: Assess) -> Iterator[str]:
    """Yield a reason if a text repeats too much of its own sentences, and one if it skips a numbered part."""
    seen: set[str] = set()
    repeated = 0
    for found in SENTENCE.findall(text):
        sentence = found.strip()
        if len(sentence) >= SHORTEST_SENTENCE:
            repeated += len(sentence) if sentence in seen else 0
            seen.add(sentence)
    if repeated > limits.max_repeated * len(text):
        yield f"{repeated / len(text):.0%} repeats sentences of the text"
    numbers = [ORDINALS.index(number) for number in HEADING.findall(text)]
    if any(later == earlier + 2 for earlier, later in pairwise(numbers)):
        yield "a numbered part is missing"


def _creativity(text: str, engagement: float | None, limits: Assess) -> Iterator[str]:
    """Yield a reason for a poor vocabulary, and one for little engagement, if it is known and a limit is set.

    They stand for creativity until a judge has read the text.
    """
    first = split_words(text[: 10 * WINDOW])[:WINDOW]
    if len(first) >= FEWEST_WORDS and (share := len(set(first)) / len(first)) < limits.min_diversity:
        yield f"only {share:.0%} of the first {len(first)} words are distinct"
    if limits.min_engagement is not None and engagement is not None and engagement < limits.min_engagement:
        yield f"engagement {engagement:g}, less than {limits.min_engagement:g}"
