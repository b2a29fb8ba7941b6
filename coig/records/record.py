"""Read and append typed records: JSON lines that one stage writes and another reads."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo

from coig.errors import DataError
from coig.files.atomic import naming, write_atomic
from coig.files.rows import Damaged, read_rows
from coig.text.language_codes import Language, language_code


class Record(BaseModel):
    """A line that one stage writes and another reads; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


One = TypeVar("One", bound=Record)


def text_of(row: dict[str, Any], key: str) -> str:
    """Return a row's name or id as text, in NFC and stripped; whole numbers (7 or 7.0) become their digits.

    Raises ValueError if it is missing, blank or another type.
    """
    value = row.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise ValueError(f"{key}: {'missing' if key not in row else 'empty or no text'}")
    return unicodedata.normalize("NFC", str(value)).strip()


def _text(value: Any, info: ValidationInfo) -> str:
    """Apply `text_of` to a field's value, so that its error names the field."""
    return text_of({str(info.field_name): value}, str(info.field_name))


def _language(value: Any) -> Any:
    """Return the code, such as zh, for a language's name in a text; return other values unchanged."""
    return language_code(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text)]
LanguageName = Annotated[Language, BeforeValidator(_language)]  # also zh-CN, EN, Chinese …


def read_records(path: Path, record: type[One]) -> Iterator[tuple[str, One]]:
    """Yield (`file:line`, record) for every row of a file.

    Raises DataError that names place and field of the first row that is no valid `record`.
    """
    for place, row in read_rows(path):
        if isinstance(row, Damaged):
            raise DataError(f"{place}: {row.reason}; mend or remove the line")
        yield place, make_record(place, row, record)


def make_record(place: str, row: Any, record: type[One]) -> One:
    """Return a row as a `record`. Raises DataError that names the place and the first invalid field."""
    try:
        return record.model_validate(row if isinstance(row, dict) else {})
    except ValidationError as error:
        raise DataError(f"{place}: {describe_error(error)}") from None


def append_records(path: Path, records: Iterable[Record]) -> None:
    """Append records to a file as JSON lines and flush them to the disk; make the file and its folders if missing.

    First removes an incomplete last line, which a killed process leaves. If writing fails, the file stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        _remove_torn_line(path)
    lines = "".join(json.dumps(record.model_dump(), ensure_ascii=False) + "\n" for record in records)
    with naming(path), path.open("ab", buffering=0) as stream:
        before = stream.tell()
        try:
            _write(stream, lines.encode())
        except OSError:
            stream.truncate(before)  # removes the partial line that a full disk leaves
            raise
        os.fsync(stream.fileno())


def _write(stream: RawIOBase, content: bytes) -> None:
    """Write all bytes; a single write may take only a part, for example on a nearly full disk."""
    while content:
        content = content[stream.write(content) :]


def _remove_torn_line(path: Path) -> None:
    """Delete what follows a file's last line break; the whole content if there is none."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        is_whole = size == 0 or stream.read(1) == b"\n"
    if not is_whole:
        content = path.read_bytes()
        write_atomic(path, content[: content.rfind(b"\n") + 1])


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number that fits a float, which true and false, NaN and texts are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def describe_error(error: ValidationError) -> str:
    """Return a text that says what is wrong with the first invalid field; later ones are not mentioned."""
    problem = error.errors()[0]
    where = ".".join(map(str, problem["loc"]))
    match problem["type"]:
        case "missing":
            return f"{where}: missing"
        case "literal_error":
            return f"{where}: {problem['input']!r} is none of {_choices(problem['ctx']['expected'])}"
        case "value_error":  # the validator's own words
            return str(problem["ctx"]["error"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def _choices(expected: str) -> str:
    """Turn pydantic's "'zh' or 'en'" into "zh, en"."""
    return expected.replace("'", "").replace(" or ", ", ")
