"""Describe what is wrong with an override, or with what was typed in place of one, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig

from coig.config import Node
from coig.config.loading import load_config
from coig.config.overrides import suggest_line
from coig.errors import ConfigError, nearest, suggestion


def describe_unreadable(line: str, reason: str, following: str | None) -> str:
    """Return the problem of a line that Hydra's grammar cannot read.

    Args:
        reason: what the grammar says.
        following: the next line, which may be the value that belongs to this one.
    """
    if "=" not in line:
        value = following if following and "=" not in following else "…"
        return f"{line}: = is missing: {line}={value}"
    return (
        f"{line}: cannot be read ({reason}); overrides are key=value, and a value with spaces, commas, signs or "
        f'full-width characters needs its own quotes: "{suggest_line(line)}"'
    )


def describe_unknown(arguments: Sequence[str], overrides: Sequence[str], known: Any) -> str:
    """Return the problem of arguments that are neither options of Hydra's nor among its overrides.

    Args:
        overrides: the lines beside them; the first may be the value that belongs to an argument.
        known: the composed config, in which the keys that the arguments mean are looked up.
    """
    first = arguments[0]
    if not first.startswith("-"):
        return f"{first}: stands apart from the other settings; give all of them before or after the options"
    name, _, value = first.lstrip("-").partition("=")
    value = value or next((line for line in overrides if "=" not in line), "…")
    key = next(_find_keys(known, name), name)
    return f"{first}: no such option; settings are written {key}={value}, without dashes"


def find_choice_problems(key: str, values: Sequence[str], choices: Sequence[str]) -> list[str]:
    """Return a problem for each value of a group's override that is not among the group's choices.

    Args:
        key: the group, with its package if it has one: `model`, `source@data.general.en`.
    """
    return [
        f"{key}={value}: no such choice{_suggest_choice(key, value, choices)}"
        for value in values
        if value not in choices
    ]


def _suggest_choice(key: str, value: str, choices: Sequence[str]) -> str:
    """Return the remedy for an unknown choice; for a model's id on the hub or folder, how that is given, too."""
    name = value.rstrip("/").rpartition("/")[2]
    near, remedy = nearest(name, choices), suggestion(name, choices, "choose from")
    if key == "experiment":
        return f"{remedy} (~experiment for none)"
    if key == "model" and "/" in value:
        similar = near[0] if near else "<similar>"
        given = f"model={similar} model.path={value} model.revision=null"
        return f"{remedy if near else '.'} Another model is given as {given}"
    return remedy


def find_key_problems(known: Any, key: str) -> list[str]:
    """Return the problem if a dotted `key` is not in the composed config `known`; else []. In lists, all is known."""
    parents: list[str] = []
    for name in key.split("."):
        if isinstance(known, list):
            break
        if not isinstance(known, dict) or name not in known:
            return [
                f"{key}: unknown key" + (f" in {'.'.join(parents)}" if parents else "") + _suggest_key(known, key, name)
            ]
        parents.append(name)
        known = known[name]
    return []


def _suggest_key(known: Any, key: str, name: str) -> str:
    """Return the remedy for the key `key`, whose part `name` the node `known` does not have."""
    if not isinstance(known, dict):
        return ""
    deeper = list(_find_keys(known, key)) if key == name else []
    remedy = f"; did you mean '{deeper[0]}'?" if len(deeper) == 1 else suggestion(name, list(known))
    if "_target_" in known:
        remedy += f"; an argument that {known['_target_']} takes besides is added with +{key}=…"
    return remedy


def _find_keys(known: Any, name: str) -> Iterator[str]:
    """Yield the dotted keys in a composed config whose last part is `name`."""
    if isinstance(known, dict):
        for key, value in known.items():
            if key == name:
                yield name
            yield from (f"{key}.{deeper}" for deeper in _find_keys(value, name))


def find_group_problems(override: str, name: str, command: str, groups: Sequence[str]) -> list[str]:
    """Return the problem if a command has no group of this name, though others may; else [].

    Args:
        groups: those of the command, with their packages.
    """
    if name in groups:
        return []
    alike = [group for group in groups if group.partition("@")[0] == name.partition("@")[0]]
    return [f"{override}: {command}.py has no group {name}; it has {', '.join(alike or groups)}"]


def is_valid_at(cfg: DictConfig, schema: type[Node], key: str) -> bool:
    """Tell whether a composed config has no problem with the value of `key`."""
    try:
        load_config(cfg, schema)
    except ConfigError as error:
        return f"- {key}=" not in str(error)
    return True


def describe_several(line: str, *, is_list: bool, may_sweep: bool) -> str:
    """Return the problem of an override with several values in a command that sweeps nothing.

    Args:
        is_list: the key takes a list.
        may_sweep: the command can be run once for each value.
    """
    key, _, values = line.partition("=")
    if is_list:
        return f"{line}: a list is written in brackets, '{key}=[{values}]'"
    return f"{line}: has several values; {'add -m to run it once for each' if may_sweep else 'give one'}"
