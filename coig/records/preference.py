"""Pairs of answers of which people prefer one, such as WritingPreferenceBench (arXiv 2510.14616): judges' yardstick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import model_validator

from coig.errors import DataError
from coig.records.record import LanguageName, Record, Text, read_records
from coig.text.language import HAN, HAN_PER_WORD, LATIN_WORD

CHOSEN, REJECTED = "chosen", "rejected"  # the arms of a pair, in judges' verdicts on it
NAMES = {  # field → what data sets call it
    "lang": ("lang", "language"),
    "genre": ("genre", "category", "tag"),
    "prompt": ("prompt", "query", "instruction"),
}
TEXTS = ("text", "response", "content", "answer")  # keys under which an answer's text stands in an object


class Preference(Record):
    """A prompt with the answer that people chose and the one that they rejected.

    In a row, an answer may be a text, an object with the text under a key of TEXTS, or a chat, whose last message is
    the answer. A missing language is told from the prompt's script.
    """

    id: Text | None = None
    lang: LanguageName
    genre: str | None = None
    prompt: Text
    chosen: str
    rejected: str

    @model_validator(mode="before")
    @classmethod
    def _convert(cls, row: Any) -> Any:
        """Return a copy of a row with our names, answers as texts and a language.

        Raises ValueError if prompt, chosen or rejected is missing.
        """
        row = dict(row)
        for name, others in NAMES.items():
            row[name] = next((row[other] for other in others if row.get(other)), None)
        if row["prompt"] is None or not {CHOSEN, REJECTED} <= row.keys():
            raise ValueError("is no preference; give prompt, chosen and rejected")
        if isinstance(row["prompt"], list):
            row["prompt"] = _text(row["prompt"])
        row["lang"] = row["lang"] or _language(str(row["prompt"]))
        return row | {name: _text(row[name]) for name in (CHOSEN, REJECTED)}


def _text(value: Any) -> Any:
    """Return the text of an answer or prompt: of an object the one under a key of TEXTS, of a chat its last message's.

    Returns None for an object without text, and any other value unchanged.
    """
    if isinstance(value, list):
        value = value[-1] if value else ""
    if isinstance(value, dict):
        return next((value[key] for key in TEXTS if isinstance(value.get(key), str)), None)
    return value


def _language(prompt: str) -> str:
    """Return `zh` if a prompt is at least half Chinese, with a Latin word as HAN_PER_WORD characters, else `en`.

    A prompt without Han characters is `en`, also without any letter.
    """
    characters = len(HAN.findall(prompt))
    return "zh" if characters and characters >= HAN_PER_WORD * len(LATIN_WORD.findall(prompt)) else "en"


def read_preferences(files: Sequence[Path]) -> list[Preference]:
    """Return the pairs of files; a pair without an id gets `<file>-<row>`, its file's stem and its number from 1.

    Raises DataError for a row that is no such pair, for the second pair of one id, and if there are no pairs.
    """
    found: dict[str, Preference] = {}
    for file in files:
        for number, (place, one) in enumerate(read_records(file, Preference), 1):
            name = one.id or f"{file.stem}-{number}"
            if name in found:
                raise DataError(f"{place}: id '{name}' stands twice; ids must be unique")
            found[name] = one.model_copy(update={"id": name})
    if not found:
        raise DataError(f"yardstick: {', '.join(map(str, files))}: holds no pairs")
    return list(found.values())
