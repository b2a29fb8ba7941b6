"""Limit what a file may make its reader hold: a file of a few MB can unpack to any size, and nest to any depth.

One setting changes it: the environment variable COIG_LARGEST_ROW, the MB that one row may take. So much any file may
unpack to; beyond it, at most RATIO times its own size.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, AnyStr

import yaml

from coig.errors import ConfigError, DataError

SETTING = "COIG_LARGEST_ROW"
LARGEST_ROW = 64  # MB of the setting, unless it is set
RATIO = 200  # texts that repeat themselves pack to a hundredth
DEEPEST = 100  # lists and dicts within each other
TOO_DEEP = f"nests deeper than {DEEPEST} lists and objects"
DECODER = json.JSONDecoder()


def largest_row() -> int:
    """Return the most bytes (or characters) that a row may have, from COIG_LARGEST_ROW, which is in MB.

    Raises ConfigError if that is no whole number above 0.
    """
    text = os.environ.get(SETTING, str(LARGEST_ROW))
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ConfigError(f"{SETTING}={text}: give whole MB that one row of a file may take, such as {LARGEST_ROW}")
    return int(text) * 1_000_000


def read_lines(stream: IO[AnyStr], file: Path, unpacked: UnpackedSize | None = None) -> Iterator[tuple[int, AnyStr]]:
    """Yield (number from 1, line with its line break) of a stream; the last line may have no line break.

    Args:
        unpacked: counts what the file unpacks to.

    Raises DataError for a line that is longer than a row may be.
    """
    limit, number = largest_row(), 0
    while line := stream.readline(limit + 1):
        number += 1
        if len(line) > limit:
            raise DataError(_too_large(f"{file}:{number}: a line"))
        if unpacked:
            unpacked.add(len(line))
        yield number, line


class UnpackedSize:
    """What a packed file has unpacked to so far. Too much is refused."""

    def __init__(self, file: Path) -> None:
        """Begin to count at 0."""
        self.file, self.total = file, 0
        self.allowed = max(largest_row(), RATIO * file.stat().st_size)

    def add(self, size: int) -> None:
        """Count unpacked bytes. Raises DataError once there are more than the file may unpack to."""
        self.total += size
        if self.total > self.allowed:
            raise DataError(
                f"{self.file}: unpacks to more than {self.allowed // 1_000_000} MB, {RATIO} times its size, as files "
                f"made to fill a disk do; if it is what it should be, unpack it yourself or raise {SETTING} (MB)"
            )


def check_row(size: int, place: str) -> None:
    """Raise DataError if a row at `place` is larger than a row may be."""
    if size > largest_row():
        raise DataError(_too_large(f"{place}: a row"))


def read_whole(file: Path, encoding: str = "utf-8") -> str:
    """Return the text of a file that is read whole, such as a manifest.

    Raises DataError if it is larger than a row may be, OSError or UnicodeDecodeError if it cannot be read.
    """
    if file.stat().st_size > largest_row():
        raise DataError(_too_large(f"{file}: a file that is read whole"))
    return file.read_text(encoding=encoding)


def parse_json(text: str, decoder: json.JSONDecoder | None = None) -> Any:
    """Return what a JSON text holds. Raises ValueError if it is no JSON, or nests deeper than DEEPEST."""
    try:
        found = (decoder or DECODER).decode(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    check_depth(text, found)
    return found


def check_depth(text: str, found: Any) -> None:
    """Raise ValueError if `found`, which was parsed from `text`, nests deeper than DEEPEST."""
    if text.count("[") + text.count("{") <= DEEPEST:  # far quicker, and enough for nearly every row
        return
    level, depth = [found], 1
    while level := [child for node in level for child in _children(node)]:
        if (depth := depth + 1) > DEEPEST:
            raise ValueError(TOO_DEEP)


def load_yaml(text: str) -> Any:
    """Return what a YAML text holds. Raises ValueError if it is no YAML, or `check_yaml` refuses it."""
    check_yaml(text)
    return yaml.safe_load(text)


def check_yaml(text: str) -> list[str]:
    """Return all texts and other single values of a YAML text, as they are written.

    Raises ValueError if it is no YAML, nests deeper than DEEPEST, or repeats a part by an alias, since a few aliases of
    aliases fill any memory.
    """
    depth, values = 0, []
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ValueError(TOO_DEEP)
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"repeats a part by the alias *{event.anchor}; write it out")
            if isinstance(event, yaml.ScalarEvent):
                values.append(event.value)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    return values


def _children(node: Any) -> Iterator[Any]:
    """Yield the lists and dicts in a list or dict."""
    items = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    yield from (item for item in items if isinstance(item, list | dict))


def _too_large(what: str) -> str:
    """Return the message that `what` takes more than a row may."""
    limit = largest_row() // 1_000_000
    return f"{what} of more than {limit} MB; if that is no mistake, allow more with {SETTING}=<MB>"
