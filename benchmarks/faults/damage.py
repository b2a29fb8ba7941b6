"""Damage a file's content at random: flip, cut, cut out, double, blank; and in JSON and YAML swap types, drop keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import yaml

TYPES: tuple[Any, ...] = (None, True, -1, 0, 1e308, 10**400, "", "x", "../x", "${oc.env:HOME}", [], {}, [[]], {"a": 1})


def damage(content: bytes, random: Random, suffix: str) -> tuple[str, bytes]:
    """Return the name of a kind of damage drawn at random, and the damaged content.

    Args:
        suffix: of the file's name; of .json, .jsonl and .yaml values are changed, too.
    """
    ways = list(BYTES)
    if suffix in (".json", ".jsonl", ".yaml"):
        ways += VALUES * 3  # each as often as a damage to bytes
    name = random.choice(ways)
    if name in BYTES:
        return name, BYTES[name](content, random)
    try:
        return name, _change_value(name, content, random, suffix)
    except (ValueError, IndexError):  # nothing to change in it
        return "flip", _flip(content, random)


def _flip(content: bytes, random: Random) -> bytes:
    """Flip a bit."""
    changed = bytearray(content or b"\0")
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(content: bytes, random: Random) -> bytes:
    """Cut off the end."""
    return content[: random.randrange(len(content) + 1)]


def _cut_out(content: bytes, random: Random) -> bytes:
    """Cut out a piece."""
    start, end = _piece(content, random)
    return content[:start] + content[end:]


def _double(content: bytes, random: Random) -> bytes:
    """Repeat a piece, or all."""
    start, end = _piece(content, random) if random.random() < 0.7 else (0, len(content))
    return content[:end] + content[start:]


def _blank(content: bytes, random: Random) -> bytes:
    """Overwrite a piece with zeros, as a file system does after a power cut."""
    start, end = _piece(content, random)
    return content[:start] + bytes(end - start) + content[end:]


def _piece(content: bytes, random: Random) -> tuple[int, int]:
    """Return start and end of a piece of at most a quarter."""
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.randrange(len(content) // 4 + 2))


BYTES: dict[str, Callable[[bytes, Random], bytes]] = {
    "flip": _flip,
    "cut": _cut,
    "cut out": _cut_out,
    "double": _double,
    "blank": _blank,
}
VALUES = ["swap type", "drop key"]


def _change_value(name: str, content: bytes, random: Random, suffix: str) -> bytes:
    """Change one value in a JSON or YAML text, or in one line of JSON lines. Raises ValueError if it has none."""
    if suffix == ".jsonl":
        lines = content.split(b"\n")
        place = random.randrange(max(1, len(lines) - 1))
        lines[place] = _change_value(name, lines[place], random, ".json")
        return b"\n".join(lines)
    found = yaml.safe_load(content) if suffix == ".yaml" else json.loads(content)
    nodes = [node for node in _nodes(found) if node]
    node = random.choice(nodes)
    key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
    if name == "drop key":
        del node[key]
    else:
        node[key] = random.choice(TYPES)
    text = yaml.safe_dump(found) if suffix == ".yaml" else json.dumps(found, ensure_ascii=False)
    return text.encode()


def _nodes(value: Any) -> list[Any]:
    """Return all dicts and lists in a value, itself included."""
    if not isinstance(value, dict | list):
        return []
    children = value.values() if isinstance(value, dict) else value
    return [value, *(node for child in children for node in _nodes(child))]
