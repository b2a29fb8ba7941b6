"""Say in words which values a configuration key takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from coig.config import fields
from coig.config.nodes import Constructor, Node

PLAIN = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    date: "date",
    NoneType: "null",
    Any: "any value",
}
NAMES = {
    fields.ExistingFile: "file",
    fields.ExistingFolder: "folder",
    fields.FilePattern: "file or pattern",
    fields.ModelPath: "hub id or folder",
    fields.QueriesFile: "`sample`, `domain`, `held_out` or a file",
    fields.FolderName: "name",
    fields.StudyName: "study's name, or a packed study",
    fields.RatioText: "ratio, such as `0`, `10k`, `1:12`, `general`",
    fields.Target: "dotted path of a function or class",
}
CHECKS = {get_args(alias)[1]: name for alias, name in NAMES.items()}  # by the validator that makes such a value
BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def describe_field(field: FieldInfo) -> str:
    """Return in words, as Markdown, which values a field takes."""
    return _describe(field.annotation, field.metadata)


def _describe(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Return in words which values an annotation allows; `metadata` holds its validators and bounds."""
    arguments, origin = get_args(annotation), get_origin(annotation)
    if origin is Annotated:
        return _describe(arguments[0], [*arguments[1:], *metadata])
    details = list(_flatten(metadata))
    named = next((CHECKS[one] for one in details if isinstance(one, AfterValidator) and one in CHECKS), None)
    if named:
        return named
    bounds = [
        f"{word} {getattr(one, bound):g}" for one in details for bound, word in BOUNDS.items() if _has(one, bound)
    ]
    return " ".join([_describe_plain(annotation, origin, arguments), *bounds])


def _describe_plain(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> str:
    """Return in words which values a type allows, without bounds."""
    if origin in (Union, UnionType):
        return " or ".join(_describe(one) for one in arguments)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        inner = _describe(arguments[0])
        return f"list ({inner})" if arguments[-1] is Ellipsis else f"{len(arguments)} values ({inner})"
    if origin is dict:
        return f"mapping ({_describe(arguments[0])} → {_describe(arguments[1])})"
    if isinstance(annotation, type) and issubclass(annotation, Constructor):
        return "keys of its own" if annotation.model_fields.keys() - {"target"} else "`_target_` and its arguments"
    if isinstance(annotation, type) and issubclass(annotation, Node):
        return "keys of its own"
    return PLAIN[annotation]


def _flatten(metadata: Iterable[Any]) -> Iterator[Any]:
    """Yield validators and bounds, those in `Field(…)` too."""
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from one.metadata
        else:
            yield one


def _has(one: Any, bound: str) -> bool:
    """Tell whether an item of metadata is such a bound, and one of a number that people choose."""
    return getattr(one, bound, None) not in (None, 2**32, 2**16)
