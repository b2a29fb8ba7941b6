"""The texts that raters read before their first query: consent and instructions, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from coig.config import Protocol
from coig.config.fields import LANGUAGES
from coig.errors import ConfigError
from coig.web.app import render_markdown

OWN = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Introduction:
    """Consent and instructions as Markdown, by language; `consent` is empty if raters are not asked for it."""

    consent: Mapping[str, str]
    instructions: Mapping[str, str]

    @property
    def asks_consent(self) -> bool:
        """Tell whether raters must agree to a text before they begin."""
        return bool(self.consent)

    def render(self, lang: str) -> dict[str, Markup]:
        """Return both texts in one language as HTML."""
        return {
            "consent": Markup(render_markdown(self.consent.get(lang, ""))),
            "instructions": Markup(render_markdown(self.instructions[lang])),
        }


def read_introduction(folder: Path | None, protocol: Protocol) -> Introduction:
    """Read a study's own texts: `consent.zh.md`, `consent.en.md`, `instructions.zh.md`, `instructions.en.md`.

    Without own instructions ours for the protocol are taken. Raises ConfigError if only one language is there.
    """
    instructions = _read_both(folder, "instructions") or _read_both(OWN, protocol.kind)
    return Introduction(_read_both(folder, "consent"), instructions)


def _read_both(folder: Path | None, name: str) -> dict[str, str]:
    """Return a text in both languages, {} if it is in none. Raises ConfigError if one is missing."""
    files = {lang: folder / f"{name}.{lang}.md" for lang in LANGUAGES} if folder else {}
    found = {lang: file.read_text(encoding="utf-8") for lang, file in files.items() if file.exists()}
    if found and len(found) < len(files):
        (missing,) = set(files) - set(found)
        raise ConfigError(f"texts: {files[missing]} is missing; raters read it in either language")
    return found
