"""The texts that raters read before their first query: consent, instructions, and examples to practise on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coig.config import Protocol
from coig.errors import ConfigError
from coig.files.rows import Damaged, read_rows
from coig.text.language_codes import LANGUAGES
from coig.web.languages import TAGS
from coig.web.pages import render_markdown

OURS = Path(__file__).parent / "texts"


class Example(BaseModel):
    """A task to practise on. `ranks` is the right answer, 1 is best; null means that it cannot be judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    answers: tuple[str, ...] = Field(min_length=2)
    ranks: tuple[int, ...] | None
    why: str

    @model_validator(mode="after")
    def _check_ranks(self) -> Example:
        """Return the example unchanged. Raises ValueError if there are ranks but not one for each answer."""
        if self.ranks is not None and len(self.ranks) != len(self.answers):
            raise ValueError("ranks: give one for each answer, 1 is best; or null if they cannot be judged")
        return self

    def as_pair(self) -> Example:
        """Return a copy with two of the answers and their ranks: the best and the worst, in the order of the example.

        They are the first two if there are no ranks, or all ranks are equal.
        """
        if self.ranks is None:
            return self.model_copy(update={"answers": self.answers[:2]})
        places = sorted({self.ranks.index(min(self.ranks)), self.ranks.index(max(self.ranks))})
        places = places if len(places) == 2 else [0, 1]  # all are equally good
        answers, ranks = zip(*((self.answers[place], self.ranks[place]) for place in places), strict=True)
        return self.model_copy(update={"answers": answers, "ranks": ranks})


@dataclass(frozen=True)
class Introduction:
    """What raters read first, by language: consent and instructions as Markdown, and examples to practise on.

    `consent` is empty if raters are not asked for it, `practice` if they do not practise.
    """

    consent: Mapping[str, str]
    instructions: Mapping[str, str]
    practice: Mapping[str, Sequence[Example]]

    @property
    def asks_consent(self) -> bool:
        """Tell whether raters must agree to a text before they begin."""
        return bool(self.consent)

    def render(self, lang: str) -> dict[str, Markup]:
        """Return {"consent": HTML, "instructions": HTML} in one language; consent is "" if raters are not asked."""
        return {
            "consent": render_markdown(self.consent.get(lang, "")),
            "instructions": render_markdown(self.instructions[lang]),
        }

    def examples(self) -> dict[str, list[dict[str, Any]]]:
        """Return {language: examples as dicts, each with its HTML language tag under `lang`}; {} without practice."""
        return {lang: [{"lang": TAGS[lang], **one.model_dump()} for one in own] for lang, own in self.practice.items()}


def read_introduction(folder: Path | None, protocol: Protocol, *, practice: bool) -> Introduction:
    """Read what raters read first: from the study's own folder, and what it lacks from the texts that coig brings.

    The folder may hold `consent.zh.md`, `instructions.zh.md` and `practice.zh.jsonl`, each with its `en` partner. coig
    brings no consent: without own files raters are not asked for it.

    Args:
        folder: the study's own texts; None if there are none.
        practice: whether raters practise; if not, no examples are read.

    Raises ConfigError if an own text is there in one language only, or a line is no example.
    """
    consent = _find_both(folder, "consent", "md")
    instructions = _find_both(folder, "instructions", "md") or _find_both(OURS, protocol.kind, "md")
    examples = (_find_both(folder, "practice", "jsonl") or _find_both(OURS, "practice", "jsonl")) if practice else {}
    return Introduction(
        {lang: file.read_text(encoding="utf-8") for lang, file in consent.items()},
        {lang: file.read_text(encoding="utf-8") for lang, file in instructions.items()},
        {lang: _read_examples(file, protocol) for lang, file in examples.items()},
    )


def _find_both(folder: Path | None, name: str, suffix: str) -> dict[str, Path]:
    """Return {language: file} of a text; {} without a folder, or if neither file exists.

    Raises ConfigError if only one of the two exists.
    """
    files = {lang: folder / f"{name}.{lang}.{suffix}" for lang in LANGUAGES} if folder else {}
    found = {lang: file for lang, file in files.items() if file.exists()}
    if found and len(found) < len(files):
        (missing,) = set(files) - set(found)
        raise ConfigError(f"texts: {files[missing]} is missing; raters read it in either language")
    return found


def _read_examples(file: Path, protocol: Protocol) -> list[Example]:
    """Return a file's examples, reduced to two answers if raters compare pairs.

    Raises ConfigError for a line that is no example.
    """
    examples = []
    for place, row in read_rows(file):
        if isinstance(row, Damaged):
            raise ConfigError(f"{place}: {row.reason}; mend or remove the line")
        try:
            example = Example.model_validate(row)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{place}: {where or 'example'}: {first['msg']}") from None
        examples.append(example.as_pair() if protocol.kind == "pairs" else example)
    return examples
