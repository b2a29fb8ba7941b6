"""Write, score and review the embedded articles by transparent rules, so that every stage can be seen without people.

The scripts are no writers and no reviewers: their triplets teach nothing, and the curation says so wherever it names
them. Two reviewers send back a third of the first versions, so that the rounds of review are seen too.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection
from pathlib import Path

from coig.config import CurateConfig
from coig.curation.desk import perform_act, tasks_of
from coig.curation.records import Act, Comment, Review, Scoring, Writing
from coig.curation.store import Store, Text

log = logging.getLogger(__name__)
WRITER, SCORER = "script: writer (no person)", "script: scorer (no person)"
REVIEWERS = tuple(f"script: reviewer {number} (no person)" for number in range(1, 6))
STRICT = REVIEWERS[:2]  # they send first versions back
WORDS = json.loads(Path(__file__).with_name("scripted.json").read_text(encoding="utf-8"))  # sentences by language


def work(store: Store, config: CurateConfig, tasks: Collection[str]) -> None:
    """Let the scripts do these tasks (write, score, review) on all texts until none is left; log how many acts."""
    done = 0
    for key in [text.key for text in store.read_texts({"screened", "written", "scored", "refine"})]:
        while (text := store.read_text(key)) and (act := _next_act(text, config, tasks)):
            with store.writing() as pen:
                perform_act(pen, act, config.accept, "rule")
            done += 1
    log.info("%s: scripts, which are no people, did %d acts", ", ".join(tasks), done)


def _next_act(text: Text, config: CurateConfig, tasks: Collection[str]) -> Act | None:
    """Return an act of one of these tasks that a text waits for, by the first script that may do it; else None."""
    for name in (WRITER, SCORER, *REVIEWERS):
        for task in set(tasks_of(text, name, config.accept)) & set(tasks):
            if task == "write" and name == WRITER:
                return write(text)
            if task == "score" and name == SCORER:
                return score(text)
            if task == "review" and name in REVIEWERS:
                return review(text, name)
    return None


def write(text: Text) -> Writing:
    """Return a triplet of fixed sentences, filled with facts of the article such as its length.

    From its second version on, the prompt also says how the text should end, which the strict reviewers ask for.
    """
    words, article = WORDS[text.lang], text.article
    paragraphs = [line for line in article.split("\n") if line.strip()]
    ends = r"[。！？；，,.!?;]"
    facts = {
        "genre": text.genre or ("文章" if text.lang == "zh" else "text"),
        "length": round(len(article), -1) or len(article),
        "paragraphs": len(paragraphs),
        "first": re.split(ends, paragraphs[0].strip())[0][:40],
        "last": [part for part in re.split(ends, paragraphs[-1]) if part.strip("”’」 ")][-1].strip()[-40:],
        "revised": WORDS[text.lang]["added"] if text.triplets else "",
    }
    filled = {name: sentence.format(**facts).strip() for name, sentence in words.items() if name != "added"}
    if text.triplets:
        filled["prompt"] += WORDS[text.lang]["added"]
    why = "the prompt says how it should end" if text.triplets else None
    return Writing.model_validate({"kind": "write", "text": text.key, "by": WRITER, "why": why, **filled})


def score(text: Text) -> Scoring:
    """Return fixed scores: 9, but 8 for the reasoning's creativity, and for that of a prompt's first version."""
    second = len(text.triplets) > 1
    return Scoring(
        kind="score",
        text=text.key,
        by=SCORER,
        article_quality=9,
        article_creativity=9,
        prompt_quality=9,
        prompt_creativity=9 if second else 8,
        reasoning_quality=9,
        reasoning_creativity=8,
    )


def review(text: Text, name: str) -> Review:
    """Return a review that accepts; but the two strict reviewers send back (`refine`) some of the first versions.

    Those are a third, by the text's key, of the prompts that do not say how the text should end.
    """
    prompt = text.triplet.content["prompt"]
    if name in STRICT and WORDS[text.lang]["added"] not in prompt and int(text.key, 16) % 3 == 0:
        comment = Comment(part="prompt", start=0, end=len(prompt), comment="Say how it should end.")
        return Review(kind="review", text=text.key, by=name, decision="refine", comments=(comment,))
    return Review(kind="review", text=text.key, by=name, decision="accept")
