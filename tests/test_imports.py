"""Imports only go downwards, as docs/architecture.md lists the packages; files and functions are short."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "coig"
LONGEST_FILE, LONGEST_FUNCTION = 400, 80  # lines
FILES = sorted(PACKAGE.rglob("*.py"))


def read_floors() -> dict[str, int]:
    """Return the floor of every room in docs/architecture.md, counted from below within its list."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    floors: dict[str, int] = {}
    for number, rooms in re.findall(r"^(\d+)\. ([a-z_., `]+)$", page, re.MULTILINE):
        floors |= dict.fromkeys(rooms.replace("`", "").split(", "), int(number))
    return floors


FLOORS = read_floors()


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file) for file in FILES}


@cache
def imported_modules(file: Path) -> set[str]:
    """Return the modules of coig that a file imports at the top or inside functions."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                longer = f"{node.module}.{alias.name}"
                found.add(longer if longer in MODULES else node.module)
    return found & MODULES


def room_of(module: str, beside: str) -> str | None:
    """Return the room of a module that is listed together with a room of another one, the innermost first."""
    own, other = module.split(".")[1:], beside.split(".")[1:]
    shared = 0
    while shared < min(len(own), len(other)) - 1 and own[shared] == other[shared]:
        shared += 1
    room = ".".join(own[: shared + 1])
    return room if room in FLOORS else None


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert rooms == {room for room in FLOORS if "." not in room}
    wings = {path.parent.name for path in (PACKAGE / "evaluation").glob("*/*.py")} | {
        "learned",
        "material",
        "run",
        "plan",
    }
    assert wings == {room.partition(".")[2] for room in FLOORS if "." in room}


def test_no_room_imports_a_higher_or_a_neighbouring_one() -> None:
    wrong = []
    for file in FILES:
        module = module_of(file)
        for other in imported_modules(file):
            mine, theirs = room_of(module, other), room_of(other, module)
            if mine and theirs and mine != theirs and FLOORS[theirs] >= FLOORS[mine]:
                wrong.append(f"{module} imports {other}")
    assert not wrong


def test_no_modules_import_each_other_in_a_circle() -> None:
    # a cycle often goes through a package's __init__, so the message names those in it
    fronts = {module_of(file) for file in FILES if file.name == "__init__.py"}
    graph = {module_of(file): imported_modules(file) - {module_of(file)} for file in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"{' → '.join(error.args[1])} (fronts: {sorted(fronts & set(error.args[1]))})")


def test_evaluation_handles_no_tensors() -> None:
    for file in (PACKAGE / "evaluation").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) (torch|transformers|lightning)\b", file.read_text(), re.M), file


def test_files_and_functions_are_short() -> None:
    for file in [*FILES, *sorted((ROOT / "recipes").glob("sample/*.py"))]:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LONGEST_FILE, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{file}: {node.name}"
