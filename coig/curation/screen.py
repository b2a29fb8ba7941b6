"""Screen texts by a judge, and draw some of the rejected for people to look at again.

Preference models reward what is typical (arXiv 2510.01171). So how often the judge rejects what people find fit is
measured: people see a random sample of the rejected texts. A reply that cannot be read, or whose quotations are not in
the text, is a failure, never a score; the text is asked about again in the next run.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from coig.config import CurateConfig
from coig.curation.records import State
from coig.curation.store import Actor, Pen, Store, Text
from coig.statistics.orders import draw_share

log = logging.getLogger(__name__)


def _no_truth(value: Any) -> Any:
    """Return the value unchanged. Raises ValueError for true and false, which pydantic would read as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("is no number")
    return value


Points = Annotated[Literal[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], BeforeValidator(_no_truth)]


class Screening(BaseModel):
    """A judge's reply about a text. Each score has a quotation from the text that shows why."""

    model_config = ConfigDict(extra="forbid")
    quality: Points
    quality_quotation: str
    creativity: Points
    creativity_quotation: str


Replies = Iterable[tuple[Text, Screening | str]]  # a text with the judge's reply, or why there is none
Screener = Callable[[list[Text]], Replies]


def screen(store: Store, config: CurateConfig, judge: Screener, name: str) -> None:
    """Ask a judge about every text in state `unique`; store each reply at once as an event.

    A text becomes `screened` or `rejected`; after a failed reply it stays `unique`.

    Args:
        judge: yields texts with replies, or with why there is none.
        name: who the judge is, with model and settings.
    """
    counts: Counter[str] = Counter()
    for text, reply in judge(store.read_texts({"unique"})):
        with store.writing() as pen:
            by = pen.find_actor(name, "rule" if is_screened_by_script(config) else "model")
            counts[_add_reply(pen, text, reply, by, config)] += 1
    log.info("screen: %s", ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing waits")


def _add_reply(pen: Pen, text: Text, reply: Screening | str, by: Actor, config: CurateConfig) -> str:
    """Add a judge's reply about a text as an event; return the text's new state, or `failed` if its state stays.

    The state stays if there is no reply, or if a quotation in the reply is not in the article. Otherwise the text is
    screened if both scores reach `screen.least`, else rejected, and some of the rejected are drawn for people.
    """
    failure = reply if isinstance(reply, str) else check_quotations(reply, text.article)
    if failure or isinstance(reply, str):
        pen.add_event(text.id, "screen_failure", None, {}, by, said={"failure": failure})
        return "failed"
    fit = min(reply.quality, reply.creativity) >= config.screen.least
    state: State = "screened" if fit else "rejected"
    drawn = not fit and draw_share("recheck", config.seed, text.key) < config.screen.recheck
    value = {
        "quality": reply.quality,
        "creativity": reply.creativity,
        "drawn": drawn,
        "probability": config.screen.recheck,
    }
    quotations = {"quality": reply.quality_quotation, "creativity": reply.creativity_quotation}
    pen.add_event(text.id, "screen", state, value, by, said={"quotations": quotations})
    return state


def check_quotations(reply: Screening, article: str) -> str | None:
    """Return what is wrong with a reply's quotations: one is empty or not in the article; None if nothing is.

    White space and quotation marks are ignored; the pieces between ellipses must each be in the article.
    """
    there = _plain(article)
    for name in ("quality", "creativity"):
        quotation = getattr(reply, f"{name}_quotation")
        if not _plain(quotation):
            return f"{name}_quotation: empty"
        if not all(_plain(piece) in there for piece in re.split(r"\.{3,}|…+", quotation)):
            return f"{name}_quotation: not in the text: {quotation[:80]!r}"
    return None


def _plain(text: str) -> str:
    """Return a text without white space and quotation marks, its characters in their usual width."""
    return re.sub(r"[\s\"'“”‘’「」『』]+", "", unicodedata.normalize("NFKC", text))


def is_screened_by_script(config: CurateConfig) -> bool:
    """Tell whether a rule stands for the judge: for the embedded articles, unless a model is named."""
    return config.is_sample and config.screen.judge.model is None


def ask_scripted(texts: list[Text]) -> Iterator[tuple[Text, Screening | str]]:
    """Yield each text with scores by a rule that stands for a judge: number of sentences, and how their lengths differ.

    It says nothing about a text. It lets the embedded articles go through every stage without a server.
    """
    for text in texts:
        sentences = [part for part in re.split(r"(?<=[。！？.!?\n])", text.article) if len(part.strip()) > 1]
        longest, shortest = max(sentences, key=len).strip(), min(sentences, key=len).strip()
        quality = min(10, 6 + len(sentences))
        creativity = 9 if len(longest) >= 2 * len(shortest) else 7
        yield (
            text,
            Screening(quality=quality, quality_quotation=longest, creativity=creativity, creativity_quotation=shortest),
        )
