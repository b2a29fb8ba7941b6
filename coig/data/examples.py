"""One training example, and the target that a model learns from it."""

from __future__ import annotations

from dataclasses import dataclass

from coig.config.fields import LANGUAGES
from coig.text.cleaning import Row, clean_text, content_id, digest_of
from coig.text.think_tags import REASONING_END


@dataclass(frozen=True)
class Example:
    """A prompt with the reasoning that leads to its answer; a document has neither, only the answer."""

    id: str
    source: str
    lang: str
    genre: str | None
    prompt: str
    reasoning: str
    answer: str
    system: str | None = None

    @property
    def is_document(self) -> bool:
        return not self.prompt

    @property
    def characters(self) -> int:
        return len(self.prompt) + len(self.reasoning) + len(self.answer)

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for the texts: two examples with one digest are encoded alike."""
        return digest_of(self.prompt, self.reasoning, self.answer, self.system or "")


def example_of(fields: Row, *, source: str, lang: str) -> Example:
    """An example of a row's fields, its texts cleaned. Raises ValueError with the reason if it cannot be used.

    A row that names neither prompt nor reasoning is a document.
    """
    document = "prompt" not in fields and "reasoning" not in fields
    prompt, reasoning = ("", "") if document else (clean_text(fields, "prompt"), clean_text(fields, "reasoning"))
    answer = clean_text(fields, "answer")
    if REASONING_END in reasoning:
        raise ValueError(f"reasoning: holds '{REASONING_END}', which would end it early")
    language = fields.get("lang") or lang
    if language not in LANGUAGES:
        raise ValueError(f"lang: '{language}' is none of {', '.join(LANGUAGES)}")
    system = _optional(fields, "system")
    return Example(
        id=_label(fields, "id") or content_id(prompt, reasoning, answer, *([system] if system else [])),
        source=source,
        lang=language,
        genre=_label(fields, "genre"),
        prompt=prompt,
        reasoning=reasoning,
        answer=answer,
        system=system,
    )


def _optional(fields: Row, name: str) -> str | None:
    value = fields.get(name)
    return None if value is None or value == "" or str(value).isspace() else clean_text(fields, name)


def _label(fields: Row, name: str) -> str | None:
    """An optional field that may be a number."""
    value = fields.get(name)
    return None if value is None else _optional({name: str(value)}, name)
