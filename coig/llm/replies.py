"""Ask for a typed reply and read it: by JSON schema, else as validated JSON, else as marked lines of text.

A reply is a flat pydantic model: its fields are choices (`Literal`), numbers or texts. A reply is never evaluated as
code, and never guessed at: one that says two things, or nothing that fits the model, is unreadable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from coig.text.think_tags import REASONING_END, split_completion

Form = Literal["schema", "json", "lines"]
FORMS: tuple[Form, ...] = ("schema", "json", "lines")  # in the order in which they are tried
Model = TypeVar("Model", bound=BaseModel)

JSON_ONLY = {
    "zh": "只输出一个 JSON 对象，不要输出其他任何内容：",
    "en": "Reply with one JSON object and nothing else:",
}
MARKED_LINES = {
    "zh": "只按下面的格式输出，每项一行，冒号后只写一个选项：",
    "en": "Reply in this form and with nothing else, each item on a line of its own, with one choice after the colon:",
}
AGAIN = {
    "zh": "这个回复无法读取（{problem}）。请只按要求的格式重新回复。",
    "en": "That reply cannot be read ({problem}). Reply again, in the requested form only.",
}


class UnreadableError(ValueError):
    """A reply that does not say what was asked; the message says why."""


def describe_form(form: Form, schema: type[BaseModel], lang: str) -> str:
    """Return the part of a prompt that says how to reply: as lines or a JSON object, with the choices of each field."""
    fields = {name: _describe_field(about) for name, about in _properties(schema).items()}
    if form == "lines":
        return "\n".join([MARKED_LINES[lang], *(f"{name}: {choices}" for name, choices in fields.items())])
    inner = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {choices}" for name, choices in fields.items())
    return f"{JSON_ONLY[lang]} {{{inner}}}"


def _describe_field(about: dict[str, Any]) -> str:
    """Return a field's choices as `"A" | "B"`, or its type as `<integer>` if it has no choices."""
    choices = _choices(about)
    return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices) or f"<{about.get('type', 'text')}>"


@lru_cache
def _properties(schema: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return {name that replies use: JSON schema} for each field of a reply; cached."""
    properties: dict[str, dict[str, Any]] = schema.model_json_schema()["properties"]
    return properties


def _choices(about: dict[str, Any]) -> list[Any]:
    """Return the choices in a field's JSON schema; [] if it is no field of choices."""
    return about["enum"] if "enum" in about else [about["const"]] if "const" in about else []


def response_format(form: Form, schema: type[BaseModel]) -> dict[str, Any] | None:
    """Return the request's `response_format` for a form; None for marked lines."""
    if form == "lines":
        return None
    if form == "json":
        return {"type": "json_object"}
    strict = schema.model_json_schema() | {"additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": strict, "strict": True}}


def read_reply(text: str, schema: type[Model]) -> Model:
    """Return a reply's text as an object of `schema`: from its JSON object, else from its lines `field: value`.

    Reasoning in think tags is left out.

    Raises UnreadableError if nothing in it fits `schema`, or if it says two different things.
    """
    said = split_completion(text)[1].rpartition(REASONING_END)[2]
    values, problem = _validate(_objects(said), schema)
    if not values:
        lines = _parse_marked_lines(said, schema)
        values, of_lines = _validate([lines] if lines else [], schema)
        problem = problem or of_lines or "no JSON object and no marked line"
    if len(values) > 1:
        raise UnreadableError("it says two different things")
    if not values:
        raise UnreadableError(problem)
    return values[0]


def _validate(found: Iterable[dict[str, Any]], schema: type[Model]) -> tuple[list[Model], str]:
    """Return the different objects that fit `schema`, and what is wrong with the last one that does not fit, or ""."""
    values: list[Model] = []
    problem = ""
    for one in found:
        try:
            value = schema.model_validate(_with_choices(one, schema))
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        else:
            values += [value] * (value not in values)
    return values, problem


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text, not those inside another one."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
            yield found
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _parse_marked_lines(text: str, schema: type[BaseModel]) -> dict[str, str]:
    """Return {field: value} from lines `field: value`, without quotes and Markdown marks around the value.

    A field without a line is left out; if any field has two different values, {} is returned.
    """
    found: dict[str, str] = {}
    for name in _properties(schema):
        pattern = rf"^[\s\"'*_`#-]*{re.escape(name)}[\s\"'*_`]*[:：](.*)$"
        values = {re.sub(r"^[\s\"'*_`]+|[\s\"'*_`.,。，]+$", "", one) for one in re.findall(pattern, text, re.I | re.M)}
        if len(values) > 1:
            return {}
        found |= dict.fromkeys([name] * len(values), *values)
    return found


def _with_choices(said: dict[str, Any], schema: type[BaseModel]) -> dict[str, Any]:
    """Return a copy of `said` in which values that spell a choice otherwise (`TIE`, `"2"`) are that choice."""
    known = {
        name: {str(choice).casefold(): choice for choice in _choices(about)}
        for name, about in _properties(schema).items()
    }
    return {name: known.get(name, {}).get(str(value).strip().casefold(), value) for name, value in said.items()}
