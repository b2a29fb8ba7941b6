"""Data sources: constructors of `conf/data`, from a file's rows to examples.

A source is a function `(path, lang, kind, …) -> list[Example]`; `kind` is given by the pool it stands in. A row's
shape is told by its keys, so that published files are read as they are.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from coig.config import LANGUAGES, local_path
from coig.data.examples import REASONING_END, DataError, Example, Kind, content_id

Row = dict[str, Any]
FIELDS = {"id", "lang", "genre", "prompt", "reasoning", "answer", "system"}
SHOWN = 5  # damaged rows named in an error


def local(path: str, lang: str, kind: Kind, columns: dict[str, str] | None = None) -> list[Example]:
    """Examples of a JSON array or a JSONL file.

    Args:
        path: the file; the shape of its rows is told by their keys (`SHAPES`).
        lang: language of rows that do not name their own.
        columns: for other shapes, the file's name for each of prompt, reasoning and answer.

    Raises:
        DataError: a row is damaged; names file, line and reason of the first few.
    """
    file = local_path(path)
    if unknown := set(columns or {}) - FIELDS:
        raise DataError(
            f"columns: {', '.join(sorted(unknown))}: map our names ({', '.join(sorted(FIELDS))}) to the file's"
        )
    examples, damaged = [], []
    for place, row in read_rows(file):
        try:
            fields = convert(row, columns)
            examples.append(_example(fields, source=file.stem, kind=kind, lang=lang))
        except ValueError as error:
            damaged.append(f"{place}: {error}")
    if damaged:
        more = f"\n  … and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
        raise DataError(
            f"{len(damaged)} of {len(damaged) + len(examples)} rows of {file} cannot be used; mend or remove them:\n  "
            + "\n  ".join(damaged[:SHOWN])
            + more
        )
    if not examples:
        raise DataError(f"{file}: holds no examples")
    return examples


def read_rows(file: Path) -> Iterator[tuple[str, Any]]:
    """(`file:line`, row) of a JSONL file, (`file[index]`, row) of a JSON array; told apart by the first byte.

    A line that is no JSON is yielded as the ValueError it raised, for the caller to report with the others.
    """
    with file.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
        first = stream.read(1)
        while first.isspace():
            first = stream.read(1)
        stream.seek(0)
        if first == "[":
            try:
                array = json.load(stream)
            except json.JSONDecodeError as error:
                raise DataError(f"{file}:{error.lineno}: damaged JSON array ({error.msg}); download it again") from None
            except (ValueError, RecursionError) as error:
                raise DataError(f"{file}: JSON that cannot be read ({error})") from None
            yield from ((f"{file}[{index}]", row) for index, row in enumerate(array))
            return
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield f"{file}:{number}", _parsed(line)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return ValueError(f"no JSON ({error.msg}, column {error.colno})")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets nested as deep
        return ValueError(f"JSON that cannot be read ({error})")


def _ours(row: Row) -> Row:
    return row


def _coig_writer(row: Row) -> Row:
    genre = row.get("query_type")
    return {
        "id": row.get("id"),
        "genre": genre,
        "prompt": row["query"],
        "reasoning": row["thought"],
        "answer": row["answer"],
    }


def _coig_writer_early(row: Row) -> Row:
    return {
        "genre": row["metadata"].get("genre") if isinstance(row.get("metadata"), dict) else None,
        "prompt": row["reverse_inspiration_prompt"],
        "reasoning": row["reasoning_process"],
        "answer": row["article"],
    }


def _r1_distill(row: Row) -> Row:
    return {
        "genre": row.get("repo_name"),
        "prompt": row["input"],
        "reasoning": row["reasoning_content"],
        "answer": row["content"],
    }


def _gsm8k(row: Row) -> Row:
    """The reasoning ends at `#### `; `<<48/2=24>>` are calculator marks, not text."""
    reasoning, mark, answer = str(row["answer"]).partition("\n#### ")
    if not mark:
        raise ValueError("answer: no '#### ' before the result")
    return {"prompt": row["question"], "reasoning": re.sub(r"<<[^>]*>>", "", reasoning), "answer": answer}


# the keys that tell a shape, and its conversion
SHAPES: list[tuple[frozenset[str], Callable[[Row], Row]]] = [
    (frozenset({"prompt", "reasoning", "answer"}), _ours),
    (frozenset({"query", "thought", "answer"}), _coig_writer),
    (frozenset({"reverse_inspiration_prompt", "reasoning_process", "article"}), _coig_writer_early),
    (frozenset({"input", "reasoning_content", "content"}), _r1_distill),
    (frozenset({"question", "answer"}), _gsm8k),
]


def convert(row: Any, columns: dict[str, str] | None = None) -> Row:
    """A row in our own field names. Raises ValueError with the reason if it has no known shape."""
    if isinstance(row, ValueError):
        raise row
    if not isinstance(row, dict):
        raise ValueError(f"not an object but {type(row).__name__}")
    if columns:
        if missing := [theirs for theirs in columns.values() if theirs not in row]:
            raise ValueError(f"no key '{missing[0]}' (named in columns)")
        return {**row, **{ours: row[theirs] for ours, theirs in columns.items()}}
    for keys, shape in SHAPES:
        if keys <= row.keys():
            return shape(row)
    nearest = max((keys for keys, _ in SHAPES), key=lambda keys: len(keys & row.keys()))
    if not nearest & row.keys():
        raise ValueError(f"unknown shape (keys {', '.join(row)}); name its columns with columns={{prompt: …}}")
    raise ValueError(f"missing {', '.join(sorted(nearest - row.keys()))}")


def _example(fields: Row, *, source: str, kind: Kind, lang: str) -> Example:
    prompt, reasoning, answer = (clean_text(fields, name) for name in ("prompt", "reasoning", "answer"))
    if REASONING_END in reasoning:
        raise ValueError(f"reasoning: holds '{REASONING_END}', which would end it early")
    language = fields.get("lang") or lang
    if language not in LANGUAGES:
        raise ValueError(f"lang: '{language}' is none of {', '.join(LANGUAGES)}")
    return Example(
        id=clean_text({"id": str(fields["id"])}, "id") if fields.get("id") is not None else content_id(prompt, answer),
        source=source,
        kind=kind,
        lang=language,
        genre=_optional(fields, "genre"),
        prompt=prompt,
        reasoning=reasoning,
        answer=answer,
        system=_optional(fields, "system"),
    )


def _optional(fields: Row, name: str) -> str | None:
    return clean_text(fields, name) if fields.get(name) not in (None, "") else None


def clean_text(fields: Row, name: str) -> str:
    """A field's text, NFC (tokenizers normalise to it, so decoded targets stay equal) and without outer white space."""
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: empty" if value in (None, "") or isinstance(value, str) else f"{name}: not a text")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name}: damaged characters (not valid UTF-8, or a lone surrogate)")
    return unicodedata.normalize("NFC", value).strip()
