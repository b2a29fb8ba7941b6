"""Collect what the reference of configuration keys says: from the schemas, the files in conf/ and their comments."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_origin

import yaml
from omegaconf import OmegaConf

from coig.__main__ import STAGES
from coig.config import Constructor, Node
from coig.config.composition import CONF, compose_once, composing
from coig.config.nodes import node_in
from recipes.site.comments import escape, read_field_comments, read_file_comments, read_head, read_package
from recipes.site.value_types import describe_field

NOTHING = object()  # the value of a key that is not in a composed config


@dataclass(frozen=True)
class Row:
    """What the reference says about a key, as Markdown; `keys` are all the dotted keys that it speaks of."""

    keys: tuple[str, ...]
    name: str
    values: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Choice:
    """A file of a config group: what it is for, and the arguments that it sets if it constructs something."""

    name: str
    about: str
    rows: list[Row]


@dataclass
class Section:
    """A node of a schema: all the places at which it is, its keys, and the choices of its config group.

    `base` is the class of another section, whose keys it has too. A section without places is of a group alone.
    """

    schema: type[Node]
    places: list[str]
    base: type[Node] | None = None
    rows: list[Row] = dataclasses.field(default_factory=list)
    group: str = ""
    choices: list[Choice] = dataclasses.field(default_factory=list)


class Stage:
    """The composed config of a stage, its schema and the comments on its keys."""

    def __init__(self, name: str) -> None:
        """Compose the stage's config without overrides."""
        with composing():
            cfg = compose_once(name)
        chosen = {str(group): choice for group, choice in cfg.hydra.runtime.choices.items()}
        self.name, self.schema = name, STAGES[name].schema
        self.choices = {group: choice for group, choice in chosen.items() if not group.startswith("hydra/")}
        values = OmegaConf.to_container(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))
        assert isinstance(values, dict)
        self.values: dict[Any, Any] = values

    @cached_property
    def comments(self) -> dict[str, str]:
        """Return {dotted key: comment} of the stage's file, then of the files of its choices, base files first."""
        found = read_file_comments(CONF / f"{self.name}.yaml")
        for place, choice in self.choices.items():
            group, _, at = place.partition("@")
            for file in _chain(group, choice):
                package = read_package(file) or at or group.replace("/", ".")
                for key, comment in read_file_comments(file).items():
                    found.setdefault(key if package == "_global_" else f"{package}.{key}", comment)
        return found

    def value(self, key: str) -> Any:
        """Return the composed value of a dotted key, NOTHING without one."""
        node: Any = self.values
        for name in key.split(".") if key else ():
            if not isinstance(node, dict) or name not in node:
                return NOTHING
            node = node[name]
        return node

    def group_at(self, place: str) -> str:
        """Return the config group whose choices make the node at a place; "" without one."""
        groups = (choice.partition("@") for choice in self.choices)
        return next((group for group, _, at in groups if (at or group.replace("/", ".")) == place), "")


def list_sections(stage: Stage) -> list[Section]:
    """Return the sections of a stage's page: one for each node of its schema, then one for each other config group.

    Nodes of one class are one section; a node whose class extends another's shows only the keys that it adds.
    """
    places: dict[type[Node], list[str]] = {}
    for place, schema in _walk(stage, stage.schema, ""):
        places.setdefault(schema, []).append(place)
    sections = []
    for schema, at in places.items():
        base = next((one for one in schema.__mro__[1:] if one in places and one is not Constructor), None)
        further = [place for other in places if schema in other.__mro__[1:] for place in places[other]]
        section = Section(schema, at if schema is Constructor else sorted([*at, *further]), base)
        section.rows = _list_rows(stage, section, at)
        section.group = "" if base else stage.group_at(at[0])
        section.choices = _list_choices(section.group, schema)
        sections.append(section)
    return sections + _list_groups(stage, [section.group for section in sections])


def _walk(stage: Stage, schema: type[Node], place: str) -> Iterator[tuple[str, type[Node]]]:
    """Yield each node of a schema as its place, a dotted key, and its class; keys of a mapping come from the config."""
    yield place, schema
    for name, field in schema.model_fields.items():
        key = f"{place}.{field.alias or name}".lstrip(".")
        if (node := node_in(field.annotation)) is None or (node is Constructor and not stage.group_at(key)):
            continue
        is_mapping = get_origin(field.annotation) is dict
        names = stage.value(key) if is_mapping else {}
        for child in [f"{key}.{one}" for one in names] if is_mapping else [key]:
            yield from _walk(stage, node, child)


def _list_rows(stage: Stage, section: Section, own_places: list[str]) -> list[Row]:
    """Return a row for each key that a section's class adds to its base's, and for each argument that it passes on.

    A key means what the schema's comment says, without one what a file in conf/ says, or what its own section says.
    """
    schema, comments = section.schema, dict[str, str]()
    for one in reversed(schema.__mro__):
        if issubclass(one, Node) and one is not Node:
            comments |= read_field_comments(one)
    rows = []
    for name, field in schema.model_fields.items():
        if name == "target" or (section.base and name in section.base.model_fields):
            continue
        last = field.alias or name
        keys = tuple(f"{place}.{last}".lstrip(".") for place in section.places)
        in_files = (stage.comments[key] for key in keys if key in stage.comments)
        child = node_in(field.annotation)
        of_child = (inspect.getdoc(child) or "").partition("\n")[0] if child else ""
        meaning = comments.get(name) or next(in_files, "") or of_child
        default = NOTHING if field.is_required() else field.get_default(call_default_factory=True)
        shown = keys[0] if len(keys) == 1 else last
        found = _find_default(stage, keys, default)
        rows.append(
            Row(
                keys,
                shown,
                describe_field(field),
                found if child is None or found in ("", "`null`") else "–",
                escape(meaning),
            )
        )
    return rows + _list_passed(stage, schema, own_places)


def _list_passed(stage: Stage, schema: type[Node], places: list[str]) -> list[Row]:
    """Return a row for each key in the config that a class does not know but passes to what it constructs."""
    value = stage.value(places[0])
    if not issubclass(schema, Constructor) or schema.model_fields.keys() == {"target"} or not isinstance(value, dict):
        return []
    known = {field.alias or name for name, field in schema.model_fields.items()}
    return [
        Row((key,), key, "", _show(value[name]), escape(stage.comments.get(key) or _passed_to(value["_target_"])))
        for name in value
        if name not in known and (key := f"{places[0]}.{name}")
    ]


def _list_choices(group: str, schema: type[Node]) -> list[Choice]:
    """Return the choices of a group, with their arguments if the schema knows no keys of its own."""
    choices = []
    for file in _files(group):
        rows = []
        if schema.model_fields.keys() == {"target"}:
            place = group.replace("/", ".")
            values, comments = dict[str, Any](), dict[str, str]()
            for one in _chain(group, file.stem):
                values |= yaml.safe_load(one.read_text(encoding="utf-8")) or {}
                comments |= read_file_comments(one)
            target = values.pop("_target_", None)
            for name in values if target else ():
                key = f"{place}.{name}"
                rows.append(Row((key,), key, "", _show(values[name]), escape(comments.get(name) or _passed_to(target))))
        choices.append(Choice(file.stem, read_head(file), rows))
    return choices


def _passed_to(target: str) -> str:
    """Return the meaning of an argument of somebody else's class; "" for one of ours, which must say it."""
    return "" if target.startswith("coig.") else f"an argument of `{target}`"


def _list_groups(stage: Stage, shown: list[str]) -> list[Section]:
    """Return a section for each further config group, which has no node of its own but sets keys of several."""
    groups = [group for group in dict.fromkeys(one.partition("@")[0] for one in stage.choices) if group not in shown]
    return [Section(Node, [], group=group, choices=_list_choices(group, Node)) for group in sorted(groups)]


def _chain(group: str, choice: str | None) -> list[Path]:
    """Return the files of a choice: those that it builds on, in their order, then its own."""
    if choice is None:
        return []
    file = CONF / group / f"{choice}.yaml"
    entries = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", [])
    bases = [entry.partition("@")[0] for entry in entries if isinstance(entry, str) and entry != "_self_"]
    return [*(one for base in bases for one in _chain(group, base)), file]


def _files(group: str) -> list[Path]:
    """Return the files of a config group, sorted; none for no group."""
    return sorted((CONF / group).glob("*.yaml")) if group else []


def _find_default(stage: Stage, keys: tuple[str, ...], default: Any) -> str:
    """Return the default of a key as Markdown: the config's, else the schema's; "" if neither has one.

    If it differs between the places of a node, it is said in words.
    """
    found = [value for key in keys if (value := stage.value(key)) is not NOTHING] or [default]
    if found == [NOTHING]:
        return ""
    return _show(found[0]) if all(one == found[0] for one in found) else "by the choice"


def _show(value: Any) -> str:
    """Return a value as code, as one would type it in YAML."""
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=1000)
    return f"`{text.strip().removesuffix('...').strip()}`"
