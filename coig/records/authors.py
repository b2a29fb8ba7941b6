"""The files of COIG-Writer's authors: answers, one file per arm and language, and the rankings that their page exports.

Answers: `{question id: {"prompt", "my_response", …}}`. Arm and language stand in the file's name, which the rankings
name as the source of an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coig.errors import DataError
from coig.records.answer import Answer
from coig.records.record import text_of
from coig.text.think_tags import split_completion


def read_authors_answers(files: Sequence[Path]) -> list[Answer]:
    """Return the answers of the authors' files; what nobody recorded (tokens, how an answer ended) is None.

    Raises DataError that names the file.
    """
    answers = []
    for file in files:
        try:
            found = json.loads(file.read_text(encoding="utf-8-sig"))
            if not found:
                raise ValueError("it holds none")
            arm, lang = arm_of_file(file.name), lang_of_file(file.name)
            answers += [_answer(arm, lang, str(question), fields) for question, fields in found.items()]
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise DataError(
                f"{file}: no answers of the authors' shape ({error}); it is an object of "
                '{question id: {"prompt": …, "my_response": …}}, arm and language in its name'
            ) from None
    seen = [(answer.arm, answer.query_id) for answer in answers]
    if len(set(seen)) < len(seen):
        raise DataError(f"answers: {files[0]} and others answer a query with one arm twice; name a file once")
    return answers


def _answer(arm: str, lang: str, question: str, fields: dict[str, Any]) -> Answer:
    reasoning, answer = split_completion(_whole(fields["my_response"]))
    unknown = dict.fromkeys(("genre", "answer_tokens", "finish_reason", "seed", "sampling"))
    known = {"arm": arm, "lang": lang, "query_id": query_id(lang, question), "query": _whole(fields["prompt"])}
    return Answer.model_validate(known | unknown | {"reasoning": reasoning, "answer": answer})


def _whole(text: Any) -> str:
    """Return a text that can be written: half of a character's two code units becomes the replacement character."""
    return re.sub("[\ud800-\udfff]", "\ufffd", str(text))


def read_ranking(row: dict[str, Any], rater: str) -> dict[str, Any]:
    """Return a row of the authors' page in the shape of our own judgments. Raises ValueError with what is wrong."""
    ranked = row["ranked_responses"]
    if not isinstance(ranked, list) or not all(isinstance(one, dict) for one in ranked):
        raise ValueError("ranked_responses: must be a list of {rank, source_file, …}")
    names = [text_of(one, "source_file") for one in ranked]
    arms, langs = [arm_of_file(name) for name in names], {lang_of_file(name) for name in names}
    if len(langs) != 1:
        raise ValueError(f"ranks answers in {' and '.join(sorted(langs))} together")
    lang = langs.pop()
    return {
        **{"query_id": query_id(lang, text_of(row, "question_id")), "lang": lang, "rater": rater},
        **{"kind": "ranking", "arms": arms, "value": [one.get("rank") for one in ranked]},
    }


def query_id(lang: str, question: str) -> str:
    """Name a question among those of both languages: their ids are those of one language's files."""
    return f"{lang}-{question}"


def arm_of_file(name: str) -> str:
    """Return the arm of a file of the authors: baseline is G, origin is CW, else so many general examples."""
    stem = Path(name).stem.lower()
    if "baseline" in stem:
        return "general"
    if "origin" in stem:
        return "cw"
    if count := re.search(r"(?<![a-z0-9])(\d+k)(?![a-z0-9])", stem):
        return f"cw+{count[1]}"
    raise ValueError(f"source_file: '{name}' names no arm (baseline, origin, 1k, 5k, 10k)")


def lang_of_file(name: str) -> str:
    """Return the language of a file of the authors."""
    found = re.search(r"(?<![a-z])(zh|en)(?![a-z])", Path(name).stem.lower())
    if not found:
        raise ValueError(f"source_file: '{name}' names no language (zh, en)")
    return found[1]
