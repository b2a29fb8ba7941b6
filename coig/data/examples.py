"""The training example, and how it is made of a row's fields."""

from __future__ import annotations

from dataclasses import dataclass

from coig.data.chats import join_parts
from coig.text.cleaning import Row, clean_text, content_id, digest_of, trim_lines
from coig.text.language_codes import LANGUAGES, language_code
from coig.text.think_tags import OPENING, REASONING_END

TEXTS = ("prompt", "reasoning", "answer", "system")


@dataclass(frozen=True)
class Example:
    """A prompt, the reasoning and the answer; a document has an empty prompt and reasoning, its text is the answer."""

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
        """Tell whether the example is plain text without a prompt."""
        return not self.prompt

    @property
    def characters(self) -> int:
        """Return the number of characters of prompt, reasoning and answer together."""
        return len(self.prompt) + len(self.reasoning) + len(self.answer)

    @property
    def digest(self) -> bytes:
        """Return 32 bytes that identify the texts: examples with equal digests are encoded to equal tokens."""
        return digest_of(self.prompt, self.reasoning, self.answer, self.system or "")


def example_of(fields: Row, *, source: str, lang: str) -> Example:
    """Return the example that a row's fields make; its texts are cleaned, a think block in the answer is the reasoning.

    Fields with neither `prompt` nor `reasoning` make a document, whose answer keeps its think block. Missing reasoning
    becomes an empty text. A missing id is computed from the texts. Raises ValueError with the reason if the row cannot
    be used.

    Args:
        source: the name of the source, stored in the example.
        lang: the language of rows that do not name one.
    """
    fields = fields | {name: join_parts(name, fields[name]) for name in TEXTS if name in fields}
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
    """Return reasoning and answer without think tags; a think block at the answer's start becomes the reasoning.

    DeepSeek-R1 leaves out the `<think>`, so all text before `</think>` counts as a block. Raises ValueError if there
    are two blocks, a block without an end or without an answer behind, or one that differs from the reasoning.
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
    """Return a field's cleaned text, None if it is missing or blank."""
    value = fields.get(name)
    return None if value is None or value == "" or str(value).isspace() else clean_text(fields, name)


def _label(fields: Row, name: str) -> str | None:
    """Return an optional field, such as an id that is a number, as cleaned text; None if it is missing or blank."""
    value = fields.get(name)
    return None if value is None else _optional({name: str(value)}, name)
