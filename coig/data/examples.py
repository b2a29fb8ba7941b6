"""One training example, and the target that a model learns from it."""

from __future__ import annotations

from dataclasses import dataclass

from coig.config.fields import LANGUAGES
from coig.data.chats import joined_parts
from coig.text.cleaning import Row, clean_text, content_id, digest_of, trim_lines
from coig.text.language import language_code
from coig.text.think_tags import OPENING, REASONING_END

TEXTS = ("prompt", "reasoning", "answer", "system")


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
    """Return the example of a row's fields, its texts cleaned, its reasoning without think tags.

    A row that names neither prompt nor reasoning is a document. A think block in an answer is split off; a row without
    reasoning has an empty one. Raises ValueError with the reason if the row cannot be used.
    """
    fields = fields | {name: joined_parts(name, fields[name]) for name in TEXTS if name in fields}
    answer = clean_text(fields, "answer")
    prompt, reasoning = "", ""
    if "prompt" in fields or "reasoning" in fields:
        prompt = clean_text(fields, "prompt")
        reasoning, answer = _without_tags(_optional(fields, "reasoning") or "", answer)
    language = language_code(fields.get("lang") or lang)
    if language not in LANGUAGES:
        raise ValueError(f"lang: '{fields['lang']}' is none of {', '.join(LANGUAGES)}")
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


def _without_tags(reasoning: str, answer: str) -> tuple[str, str]:
    """Return reasoning and answer without think tags; the block that begins an answer is its reasoning.

    R1's own form has no `<think>`, so all text before `</think>` is such a block. Raises ValueError if a target would
    hold two blocks, or a block without an end.
    """
    reasoning = reasoning.removeprefix(OPENING).removesuffix(REASONING_END).strip()
    if REASONING_END in reasoning:
        raise ValueError(f"reasoning: holds '{REASONING_END}', which would end it early")
    is_opened = answer.lstrip().startswith(OPENING)
    block, end, behind = answer.lstrip().removeprefix(OPENING).partition(REASONING_END)
    if not end:
        if is_opened:
            raise ValueError(f"answer: its '{OPENING}' has no '{REASONING_END}'")
        return reasoning, answer
    if OPENING in block or REASONING_END in behind or behind.lstrip().startswith(OPENING):
        raise ValueError("answer: a think block that is not at its beginning, or a second one")
    if not behind.strip():
        raise ValueError("answer: empty behind its think block")
    if reasoning and block.split() != reasoning.split():
        raise ValueError("answer: its think block is another text than the reasoning")
    return reasoning or block.strip(), trim_lines(behind)


def _optional(fields: Row, name: str) -> str | None:
    value = fields.get(name)
    return None if value is None or value == "" or str(value).isspace() else clean_text(fields, name)


def _label(fields: Row, name: str) -> str | None:
    """An optional field that may be a number."""
    value = fields.get(name)
    return None if value is None else _optional({name: str(value)}, name)
