"""Every override that a message of ours suggests composes when it is typed."""

import ast
import re
from collections.abc import Iterator

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from coig.config.composition import compose_job, composing
from coig.config.overrides import suggest_line
from tests.conftest import ROOT

SUGGESTED = re.compile(
    r"(?:(?<=[\s('\"])|^)(?:source@)?(?:data|model|supervision|trainer|budget|HOLE)[\w.]*=[^\s;,)'\"]+"
)
HOLE = "HOLE"  # what an f-string fills in


def suggestions() -> Iterator[str]:
    """Yield the overrides in the texts of all modules, what is filled in replaced by HOLE."""
    for file in sorted((ROOT / "coig").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else HOLE for part in node.values]
                yield from SUGGESTED.findall("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from SUGGESTED.findall(node.value)


def typed(suggestion: str) -> str | None:
    """Return a suggestion as a user would type it; None where the value is the user's own matter."""
    key, _, value = suggestion.partition("=")
    if HOLE in value or re.search(r"[<>…|]|[A-Z]{3}|^\W*$", value) or key == HOLE:
        return None
    key = key.replace(f"data.general.{HOLE}", "data.general.en")
    return f"{key.replace(HOLE, 'data.creative')}={value.rstrip('.:`')}"


def find_faults(suggestion: str) -> list[str]:
    """Return what is wrong with a suggestion as it is typed: it does not compose, or means something else."""
    [override] = OverridesParser.create().parse_overrides([suggestion])
    try:
        config = compose_job("train", [override])
    except HydraException as error:
        return [f"{suggestion}: {error}"]
    key, _, _ = suggestion.partition("=")
    choices = HydraConfig.get().runtime.choices
    found = choices[key] if key in choices else OmegaConf.select(config, key)
    return [] if found == override.value() else [f"{suggestion}: is {found}"]


def test_suggestions_compose() -> None:
    found = sorted({line for suggestion in suggestions() if (line := typed(suggestion))})
    assert {"data.no_reasoning=empty", "supervision=outcome", "data.creative.filters.aligned=true"} <= set(found)
    with composing():
        assert [fault for suggestion in found for fault in find_faults(suggestion)] == []


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (
            "data.general.en.columns={prompt: 问题, reasoning: 思考, answer: 答案}",
            {"prompt": "问题", "reasoning": "思考", "answer": "答案"},
        ),
        ("data.general.en.columns={prompt:问 题,answer:'答案'}", {"prompt": "问 题", "answer": "答案"}),
        ("data.creative.filters.topics=[诗歌（现代）,小说]", ["诗歌（现代）", "小说"]),
        ("study=雪（一）", "雪（一）"),
    ],
)
def test_the_quoting_that_is_suggested_says_what_was_meant(line: str, value: object) -> None:
    [override] = OverridesParser.create().parse_overrides([suggest_line(line)])
    found = override.value()
    assert ({str(key): text for key, text in found.items()} if isinstance(found, dict) else found) == value
