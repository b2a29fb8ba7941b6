"""Imports flow one way: config, study ← data, evaluation ← models ← training, generation ← entry scripts."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "coig"
LAYERS = [
    {"ratio", "language", "thinking"},
    {"fields", "words"},
    {"schema"},
    {"config"},
    {"cli", "tracking", "rows"},
    {"study"},
    {"data", "evaluation"},
    {"models"},
    {"training", "generation"},
    {"sample"},
]
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}


def imported_parts(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules = [f"{node.module}.{alias.name}" for node in froms for alias in node.names]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return {module.split(".")[1] for module in modules if module.startswith("coig.")} & RANK.keys()


def test_no_part_imports_a_higher_or_a_neighbouring_one() -> None:
    wrong = []
    for file in PACKAGE.rglob("*.py"):
        part = file.relative_to(PACKAGE).with_suffix("").parts[0]
        for other in imported_parts(file) - {part} if part != "__init__" else ():
            if RANK[other] >= RANK[part]:
                wrong.append(f"{file.relative_to(PACKAGE)} imports coig.{other}")
    assert not wrong


def test_evaluation_handles_no_tensors() -> None:
    for file in (PACKAGE / "evaluation").glob("*.py"):
        assert not re.search(r"^\s*(import|from) (torch|transformers|lightning)\b", file.read_text(), re.M), file
