"""Make the tiny model's training texts: novels cut into pieces, and problems like the sample's general ones.

The corpus is a folder with the documents in `zh.jsonl` and `en.jsonl`, as `{id, text}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from coig.data.examples import Example
from coig.data.mixture import build_mixture
from coig.data.sources import ours, plain_text
from coig.files.atomic import write_atomic
from coig.study.arm import Arm
from coig.text.cleaning import Row
from coig.text.language_codes import LANGUAGES
from recipes.sample.general import general_examples

CHARACTERS = {"zh": 800, "en": 2000}  # most characters of a piece, about 600 tokens
PROBLEMS = 1000  # per language; the first 360 are the sample's own
SENTENCE = r"[^。！？.!?]*[。！？.!?]*[”’」\"')]*\s*"


def piece_or_problem(row: Row) -> Row:
    """Convert a row of `write_texts`, a document or a problem, to an example's fields; a `_target_` of a source."""
    return plain_text(row) if "text" in row else ours(row)


def write_texts(corpus: Path, folder: Path) -> None:
    """Write the training texts, pieces of the corpus and problems, to `folder/zh.jsonl` and `en.jsonl`."""
    for lang in LANGUAGES:
        rows = chain(_pieces_of(corpus / f"{lang}.jsonl", CHARACTERS[lang]), general_examples(lang, PROBLEMS))
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_atomic(folder / f"{lang}.jsonl", "".join(lines))


def documents(arm: Arm) -> tuple[list[Example], list[Example]]:
    """Return the pieces of novels that an arm was trained on, and those held out; problems are left out."""
    config = arm.config()
    mixture = build_mixture(config.data, config.seed)
    trained, held_out = mixture.examples(mixture.train), mixture.examples(mixture.validation)
    return [one for one in trained if one.is_document], [one for one in held_out if one.is_document]


def _pieces_of(file: Path, limit: int) -> Iterator[Row]:
    """Yield the pieces of all documents of a file as rows `{id, text}`."""
    with file.open(encoding="utf-8") as lines:
        for document in map(json.loads, lines):
            for number, text in enumerate(pieces(document["text"], limit)):
                yield {"id": f"{document['id']}#{number}", "text": text}


def pieces(text: str, limit: int) -> Iterator[str]:
    """Yield a text in pieces of at most `limit` characters, cut at line ends, within longer lines at sentence ends.

    White space around a piece is removed.
    """
    piece = ""
    for part in _parts(text, limit):
        if len(piece) + len(part) > limit:
            yield piece.strip()
            piece = ""
        piece += part
    if piece.strip():
        yield piece.strip()


def _parts(text: str, limit: int) -> Iterator[str]:
    """Yield the lines of a text; longer ones than `limit` by sentences, and longer sentences in cuts of `limit`."""
    for line in text.splitlines(keepends=True):
        sentences = [line] if len(line) <= limit else re.findall(SENTENCE, line)
        for sentence in sentences:
            yield from (sentence[start : start + limit] for start in range(0, len(sentence), limit))
