"""Make the chats that the tiny model is fine-tuned on: requests to continue a story, with a plan and the story.

They are made of pieces of novels. The prompt gives the opening, the reasoning says where to begin and to stop, and the
answer is the passage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from coig.data.examples import Example
from coig.files.atomic import write_atomic
from coig.text.cleaning import Row
from coig.text.language_codes import LANGUAGES
from recipes.sample.corpus import PROBLEMS, SENTENCE
from recipes.sample.general import general_examples

STORIES = 1300  # per language
SHORTEST_OPENING = {"zh": 8, "en": 25}  # characters
LONGEST_OPENING = {"zh": 60, "en": 180}
LENGTH = {"zh": (60, 260), "en": (200, 800)}  # characters of a passage, drawn for each
PROMPTS = {
    "zh": ["接着写下去：{opening}", "用这一句开头，写一段故事：{opening}", "写一个片段，第一句是“{opening}”"],
    "en": [
        "Continue this story: {opening}",
        "Write a passage that begins with this sentence: {opening}",
        "Write a scene. It opens like this: {opening}",
    ],
}
REASONING = {
    "zh": [
        "开头已经有了：“{opening}”我顺着它写下去，最后停在“{ending}”",
        "要的是一段故事。先照抄第一句，“{opening}”，再往下写，写到“{ending}”为止。",
        "第一句定了调子。\n\n我想让它走到这里：“{ending}”中间只写发生的事。",
    ],
    "en": [
        "The opening is given: “{opening}” I go on from there and stop at “{ending}”",
        "They want a passage. It starts with “{opening}” and should lead to “{ending}”",
        "The first sentence sets the tone.\n\nI want to arrive here: “{ending}” In between I only tell what happens.",
    ],
}


def write_chats(documents: list[Example], folder: Path) -> None:
    """Write chats to `folder/chat_zh.jsonl` and `chat_en.jsonl`: stories made of the documents, then problems."""
    for lang in LANGUAGES:
        stories = [row for document in documents if document.lang == lang for row in story(document)]
        rows = [*Random(lang).sample(stories, min(STORIES, len(stories))), *general_examples(lang, PROBLEMS)]
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_atomic(folder / f"chat_{lang}.jsonl", "".join(lines))


def story(document: Example) -> Iterator[Row]:
    """Yield one chat that asks for a document's first passage.

    Yields none if the passage is no longer than its opening, or its opening or ending is too long to quote.
    """
    rng, lang = Random(document.id), document.lang
    sentences = [sentence for sentence in re.findall(SENTENCE, document.answer) if sentence.strip()]
    opening = _until(sentences, SHORTEST_OPENING[lang])
    passage = _until(sentences, rng.randint(*LENGTH[lang]))
    ending = sentences[len(passage) - 1].strip()
    if len(passage) <= len(opening) or max(len("".join(opening)), len(ending)) > LONGEST_OPENING[lang]:
        return
    words = {"opening": "".join(opening).strip(), "ending": ending}
    yield {
        "id": f"story/{document.id}",
        "lang": lang,
        "genre": "fiction",
        "prompt": rng.choice(PROMPTS[lang]).format(**words),
        "reasoning": rng.choice(REASONING[lang]).format(**words),
        "answer": "".join(passage).strip(),
    }


def _until(sentences: list[str], characters: int) -> list[str]:
    """Return the fewest first sentences that have at least `characters` characters in all; all if they have fewer."""
    taken: list[str] = []
    for sentence in sentences:
        if sum(map(len, taken)) >= characters:
            break
        taken.append(sentence)
    return taken
