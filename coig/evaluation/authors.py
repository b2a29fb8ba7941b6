"""The files of COIG-Writer's authors: answers, one per arm and language, which their page's rankings name as sources.

Answers: `{question id: {"prompt", "my_response", …}}`. Arm and language stand in the name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coig.config import DataError
from coig.thinking import split_completion


def query_id(lang: str, question: str) -> str:
    """Their ids are those of one language's files."""
    return f"{lang}-{question}"


def read_answers_of_authors(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Records as generate.py writes them; what nobody recorded (tokens, how an answer ended) is None.

    Raises DataError that names the file.
    """
    records = []
    for file in files:
        try:
            answers = json.loads(file.read_text(encoding="utf-8"))
            arm, lang = arm_of_file(file.name), lang_of_file(file.name)
            records += [_record(arm, lang, str(question), fields) for question, fields in answers.items()]
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise DataError(
                f"{file}: no answers of the authors' shape ({error}); it is an object of "
                '{question id: {"prompt": …, "my_response": …}}, arm and language in its name'
            ) from None
    seen = [(record["arm"], record["query_id"]) for record in records]
    if len(set(seen)) < len(seen):
        raise DataError(f"answers: {files[0]} and others answer a query with one arm twice; name a file once")
    return records


def _record(arm: str, lang: str, question: str, fields: dict[str, Any]) -> dict[str, Any]:
    reasoning, answer = split_completion(str(fields["my_response"]))
    about = {"arm": arm, "lang": lang, "genre": None, "query_id": query_id(lang, question)}
    unknown = {"answer_tokens": None, "finish_reason": None}
    return about | unknown | {"query": str(fields["prompt"]), "reasoning": reasoning, "answer": answer}


def arm_of_file(name: str) -> str:
    """The arm of a file of the authors: baseline is G, origin is CW, else so many general examples."""
    stem = Path(name).stem.lower()
    if "baseline" in stem:
        return "general"
    if "origin" in stem:
        return "cw"
    if count := re.search(r"(?<![a-z0-9])(\d+k)(?![a-z0-9])", stem):
        return f"cw+{count[1]}"
    raise ValueError(f"source_file: '{name}' names no arm (baseline, origin, 1k, 5k, 10k)")


def lang_of_file(name: str) -> str:
    found = re.search(r"(?<![a-z])(zh|en)(?![a-z])", Path(name).stem.lower())
    if not found:
        raise ValueError(f"source_file: '{name}' names no language (zh, en)")
    return found[1]
