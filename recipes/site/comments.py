"""Read what the comments of the schemas and of the files in conf/ say about each configuration key."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import yaml

from coig.config import Node


def read_field_comments(schema: type[Node]) -> dict[str, str]:
    """Return {field: comment} for the commented fields that a schema itself declares, not those that it inherits."""
    lines = textwrap.dedent(inspect.getsource(schema)).splitlines()
    (body,) = ast.parse("\n".join(lines)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = (node.end_lineno or node.lineno) - 1
            beside = lines[last].encode()[node.end_col_offset :].decode()  # offsets of `ast` count bytes
            found[node.target.id] = _join(_above(lines, node.lineno - 1), beside)
    return {name: comment for name, comment in found.items() if comment}


def read_file_comments(file: Path) -> dict[str, str]:
    """Return {dotted key: comment} for the commented keys of a YAML file."""
    text = file.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    lines, head = text.splitlines(), len(_head_lines(file))
    if not isinstance(root, yaml.MappingNode):  # nothing but comments
        return {}
    found = {}
    for path, key, value in _walk(root, ""):
        end = key.end_mark if isinstance(value, yaml.MappingNode) and not value.flow_style else value.end_mark
        rest = lines[end.line][end.column :] if end.line < len(lines) else ""
        found[path] = _join(_above(lines, key.start_mark.line, head), rest)
    return {path: comment for path, comment in found.items() if comment}


def read_package(file: Path) -> str | None:
    """Return the package that a YAML file names in its first lines (`# @package model`), None without one."""
    named = [line.removeprefix("# @package ") for line in _head_lines(file) if line.startswith("# @package ")]
    return named[0] if named else None


def read_head(file: Path) -> str:
    """Return the comment that opens a YAML file as Markdown in one line, with its commands as code; "" without one."""
    lines = [line.removeprefix("#").strip() for line in _head_lines(file) if not line.startswith("# @package ")]
    text, command = list[str](), ""
    for line in lines:
        if command or line.startswith("python "):
            command += line.removesuffix("\\")
            if not line.endswith("\\"):
                text.append(f"`{' '.join(command.split())}`")
                command = ""
        else:
            text.append(escape(line))
    return " ".join(text)


def escape(text: str) -> str:
    """Return a text as Markdown that shows it as it is, but for `code`, which stays code."""
    parts = text.replace("|", "\\|").split("`")
    for i in range(0, len(parts), 2):
        parts[i] = "".join("\\" + c if c in "*_[]{}" else c for c in parts[i]).replace("<", "&lt;")
    return "`".join(parts)


def _walk(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield the dotted path, the key's node and the value's node of each key of nested mappings."""
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        yield path, key, value
        if isinstance(value, yaml.MappingNode):
            yield from _walk(value, f"{path}.")


def _head_lines(file: Path) -> list[str]:
    """Return the comment lines with which a file begins."""
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return lines[:end]


def _above(lines: list[str], line: int, first: int = 0) -> str:
    """Return the comment in the lines directly above a line, down to the index `first`; "" without one."""
    begin = line
    while begin > first and lines[begin - 1].strip().startswith("#"):
        begin -= 1
    return " ".join(one.strip().removeprefix("#").strip() for one in lines[begin:line])


def _join(above: str, rest: str) -> str:
    """Return the comment above a key and the one behind it, where `rest` is the rest of the key's line, as one."""
    beside = rest.partition("#")[2].strip()
    separator = " " if above.endswith((".", ":")) else "; "
    return separator.join(part for part in (above, beside) if part)
