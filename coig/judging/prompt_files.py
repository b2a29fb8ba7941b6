"""The prompts of judges: one YAML file for each language, `zh.yaml` and `en.yaml`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError, field_validator

from coig.config.judging import Asked
from coig.config.nodes import Node
from coig.errors import ConfigError, first_line
from coig.files.limits import load_yaml, read_whole
from coig.llm.replies import AGAIN, JSON_ONLY, MARKED_LINES
from coig.records.record import describe_error
from coig.text.language_codes import LANGUAGES

OWN = Path(__file__).with_name("prompts")
TAG = re.compile(r"<(?=/?(?:task|answer|step)\w*>)", re.IGNORECASE)


class Prompt(Node):
    """The prompts of a judge in one language; all but `system` have the places {task} and {texts}, each once."""

    system: str
    pairs: str
    ranking: str
    rating: str
    steps: str

    @field_validator("pairs", "ranking", "rating", "steps")
    @classmethod
    def _has_places(cls, text: str) -> str:
        """Return the prompt unchanged. Raises ValueError unless it has each place exactly once."""
        for place in ("{task}", "{texts}"):
            if text.count(place) != 1:
                raise ValueError(f"a prompt needs {place} exactly once")
        return text

    def fill(self, asked: Asked, task: str, texts: Mapping[str, str]) -> str:
        """Return the user's prompt of the kind `asked`, with the task and the texts in their places.

        Args:
            texts: {tag: text}. What looks like one of our tags inside the task or a text is made harmless.
        """
        blocks = (f"<{tag}>\n{_harmless(text)}\n</{tag}>" for tag, text in texts.items())
        places = {"{task}": _harmless(task), "{texts}": "\n\n".join(blocks)}
        template: str = getattr(self, asked)
        return re.sub(r"\{task\}|\{texts\}", lambda place: places[place[0]], template)


def _harmless(text: str) -> str:
    """Return a stripped text in which the `<` of our tags is replaced by `‹`, so that it cannot end its own block."""
    return TAG.sub("‹", text.strip())


def read_prompts(folder: Path | None) -> dict[str, Prompt]:
    """Return {language: prompts} from a folder, or our own for None. Raises ConfigError that names a bad file."""
    return {lang: _read(folder or OWN, lang) for lang in LANGUAGES}


def _read(folder: Path, lang: str) -> Prompt:
    """Return the prompts of one language. Raises ConfigError if the file is missing, damaged or does not fit."""
    file = folder / f"{lang}.yaml"
    try:
        return Prompt.model_validate(load_yaml(read_whole(file)))
    except ValidationError as error:
        problem = describe_error(error)
    except (OSError, ValueError) as error:
        problem = first_line(error)
    raise ConfigError(f"judge.prompts: {file}: is no prompt of a judge ({problem}); begin with a copy of {OWN}")


def hash_prompts(prompts: Mapping[str, Prompt], asked: Asked) -> str:
    """Return 16 hexadecimal digits that change with any word of the prompts for `asked`, in either language.

    The instructions on the form of a reply count too.
    """
    told = [[prompt.system, getattr(prompt, asked)] for prompt in prompts.values()]
    forms = [JSON_ONLY, MARKED_LINES, AGAIN]
    return hashlib.sha256(json.dumps([told, forms], ensure_ascii=False).encode()).hexdigest()[:16]
