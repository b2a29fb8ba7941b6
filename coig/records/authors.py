"""Read the files of COIG-Writer's authors: answers, one file per arm and language, and rankings from their web page.

A file of answers is an object `{question id: {"prompt", "my_response", …}}`. Its name contains arm and language.
Rankings refer to answers by this file name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coig.errors import DataError
from coig.files.limits import parse_json, read_whole
from coig.records.answer import Answer
from coig.records.record import text_of
from coig.text.think_tags import split_completion

log = logging.getLogger(__name__)
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
COPY = re.compile(r"(?:[ _-]*\(\d+\)|[ _-]+copy(?: \d+)?|[ _-]*副本(?: \d+)?)$", re.IGNORECASE)
PAGE_NAME = re.compile(r"ranked_results_(?:all|partial_\d+_items)", re.IGNORECASE)


def read_authors_answers(files: Sequence[Path]) -> list[Answer]:
    """Return the answers of the authors' files; facts that they lack (tokens, finish reason …) are None.

    Null answers are left out, lone surrogates become U+FFFD; a warning counts the answers with either. A file given
    twice is read once. Raises DataError that names the file if it has another shape, is empty, or its name contains no
    arm or language; also if every answer of all files is null, or an arm answers a query twice.
    """
    answers = []
    for file in {file.resolve(): file for file in files}.values():
        with _explain_errors(file):
            arm = arm_of_file(file.name)
        lang, found = _read_file(file)
        given = {question: fields for question, fields in found.items() if fields["my_response"] is not None}
        if missing := len(found) - len(given):
            log.warning("%s: %d of %d answers are missing (null)", file, missing, len(found))
        if damaged := sum(LONE_SURROGATE.search(fields["my_response"]) is not None for fields in given.values()):
            log.warning("%s: %d of %d answers hold damaged characters, shown as \ufffd", file, damaged, len(found))
        answers += [_answer(arm, lang, question, fields) for question, fields in given.items()]
    if not answers:
        raise DataError(f"{', '.join(map(str, files))}: no answers in the file; every one is null")
    seen = [(answer.arm, answer.query_id) for answer in answers]
    if len(set(seen)) < len(seen):
        raise DataError(f"answers: {files[0]} and others answer a query with one arm twice; name a file once")
    return answers


def read_authors_prompts(file: Path) -> list[dict[str, Any]]:
    """Return the prompts in a file of the authors, with a null answer too, as rows of {id, lang, query}.

    Raises DataError if the file has another shape or no prompts, or its name contains no language.
    """
    lang, found = _read_file(file)
    return [
        {"id": query_id(lang, question), "lang": lang, "query": _replace_surrogates(fields["prompt"])}
        for question, fields in found.items()
    ]


def is_authors_file(file: Path) -> bool:
    """Tell whether a file has the shape of the authors' answers: a JSON object that holds an object with a prompt.

    A file that is missing, cannot be read or is no JSON gives False.
    """
    try:
        found = _load(file)
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and any(isinstance(one, dict) and "prompt" in one for one in found.values())


def _load(file: Path) -> Any:
    """Parse a JSON file, with or without byte order mark."""
    return parse_json(read_whole(file, "utf-8-sig"))


def _read_file(file: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the language, from the name, and {question id: {prompt, my_response}} of a file of answers.

    Raises DataError if it has another shape or no answers.
    """
    with _explain_errors(file):
        found, lang = _load(file), lang_of_file(file.name)
        if not found:
            raise ValueError("no answers in the file")
        return lang, {question: _check_fields(fields) for question, fields in found.items()}


@contextmanager
def _explain_errors(file: Path) -> Iterator[None]:
    """Turn an error that the block raises into a DataError that names the file and the expected shape."""
    try:
        yield
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: no answers of the authors' shape ({error}); it is an object of "
            '{question id: {"prompt": …, "my_response": …}}, arm and language in its name'
        ) from None


def _check_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return `fields`. Raises TypeError or KeyError unless `prompt` is a text and `my_response` a text or None."""
    if not isinstance(fields["prompt"], str) or not isinstance(fields["my_response"], str | None):
        raise TypeError("prompt and my_response must be texts")
    return fields


def _replace_surrogates(text: str) -> str:
    """Replace each lone surrogate, which UTF-8 cannot encode, by U+FFFD."""
    return LONE_SURROGATE.sub("\ufffd", text)


def _answer(arm: str, lang: str, question: str, fields: dict[str, Any]) -> Answer:
    """Return the record of an answer, its text split into reasoning and answer; unpublished facts are None."""
    reasoning, answer = split_completion(_replace_surrogates(fields["my_response"]))
    unknown = dict.fromkeys(("genre", "answer_tokens", "finish_reason", "seed", "sampling"))
    prompt = _replace_surrogates(fields["prompt"])
    known = {"arm": arm, "lang": lang, "query_id": query_id(lang, question), "query": prompt}
    return Answer.model_validate(known | unknown | {"reasoning": reasoning, "answer": answer})


def read_ranking(row: dict[str, Any], rater: Any) -> dict[str, Any]:
    """Return a row exported from the authors' page as a ranking: {query_id, lang, rater, kind, arms, value}.

    `rater` and the ranks, None where one is missing, are not checked. Raises ValueError if `ranked_responses` is no
    list of objects, is empty or ranks answers in two languages, or if a file name in it contains no arm or language.
    """
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


def rater_of_file(file: Path) -> str:
    """Return the rater's name: an export's file name without the page's `ranked_results_…` and marks such as `(1)`.

    If nothing is left, return the folder's name.
    """
    name = PAGE_NAME.sub("", COPY.sub("", file.stem)).strip(" _-.")
    return name or file.absolute().parent.name


def query_id(lang: str, question: str) -> str:
    """Return `<lang>-<question>`, an id for both languages; the authors number each language's questions separately."""
    return f"{lang}-{question}"


def arm_of_file(name: str) -> str:
    """Return the arm that a file name contains: baseline → general, origin → cw, 10k → cw+10k.

    Raises ValueError if it contains none.
    """
    stem = Path(name).stem.lower()
    if "baseline" in stem:
        return "general"
    if "origin" in stem:
        return "cw"
    if count := re.search(r"(?<![a-z0-9])(\d+k)(?![a-z0-9])", stem):
        return f"cw+{count[1]}"
    raise ValueError(f"source_file: '{name}' names no arm (baseline, origin, 1k, 5k, 10k)")


def lang_of_file(name: str) -> str:
    """Return the language, zh or en, that a file name contains. Raises ValueError if it contains none."""
    found = re.search(r"(?<![a-z])(zh|en)(?![a-z])", Path(name).stem.lower())
    if not found:
        raise ValueError(f"source_file: '{name}' names no language (zh, en)")
    return found[1]
