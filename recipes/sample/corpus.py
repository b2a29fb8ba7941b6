"""What the tiny model reads before any arm is trained: novels in pieces, and problems like the sample's general ones.

The corpus is a folder with `zh.jsonl` and `en.jsonl`, documents as `{id, text}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from coig.config.fields import LANGUAGES
from coig.data.examples import Example
from coig.data.mixture import build_mixture
from coig.data.sources import ours, plain_text
from coig.files.atomic import write_atomic
from coig.study.arm import Arm
from coig.text.cleaning import Row
from recipes.sample.general import general_examples

CHARACTERS = {"zh": 800, "en": 2000}  # of a piece at most: about 600 tokens
PROBLEMS = 1000  # per language; the first 360 are the sample's own
SENTENCE = r"[^。！？.!?]*[。！？.!?]*[”’」\"')]*\s*"


def piece_or_problem(row: Row) -> Row:
    """The shape of the rows that `write_texts` writes, for `coig.data`: documents, and examples with a prompt."""
    return plain_text(row) if "text" in row else ours(row)


def write_texts(corpus: Path, folder: Path) -> None:
    """Write `folder/zh.jsonl` and `en.jsonl`, what the model is trained on."""
    for lang in LANGUAGES:
        rows = chain(_pieces_of(corpus / f"{lang}.jsonl", CHARACTERS[lang]), general_examples(lang, PROBLEMS))
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_atomic(folder / f"{lang}.jsonl", "".join(lines))


def documents(arm: Arm) -> tuple[list[Example], list[Example]]:
    """The pieces that an arm was trained on, and those that it never saw."""
    config = arm.config()
    mixture = build_mixture(config.data, config.seed)
    trained, held_out = mixture.examples(mixture.train), mixture.examples(mixture.validation)
    return [one for one in trained if one.is_document], [one for one in held_out if one.is_document]


def _pieces_of(file: Path, limit: int) -> Iterator[Row]:
    with file.open(encoding="utf-8") as lines:
        for document in map(json.loads, lines):
            for number, text in enumerate(pieces(document["text"], limit)):
                yield {"id": f"{document['id']}#{number}", "text": text}


def pieces(text: str, limit: int) -> Iterator[str]:
    """Cut `text` into pieces of at most `limit` characters, at line ends, in longer lines at sentence ends."""
    piece = ""
    for part in _parts(text, limit):
        if len(piece) + len(part) > limit:
            yield piece.strip()
            piece = ""
        piece += part
    if piece.strip():
        yield piece.strip()


def _parts(text: str, limit: int) -> Iterator[str]:
    """The lines of `text`; those that are too long by sentences, and those by as many characters as may be."""
    for line in text.splitlines(keepends=True):
        sentences = [line] if len(line) <= limit else re.findall(SENTENCE, line)
        for sentence in sentences:
            yield from (sentence[start : start + limit] for start in range(0, len(sentence), limit))
