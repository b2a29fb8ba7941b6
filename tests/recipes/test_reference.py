"""The site's reference has every configuration key of every stage, with a meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from coig.__main__ import STAGES
from coig.config import Node
from coig.config.fields import FolderName
from recipes.site.comments import escape, read_field_comments, read_file_comments, read_head
from recipes.site.reference import Row, Stage, list_sections
from recipes.site.rendering import write_pages
from recipes.site.value_types import describe_field


@pytest.fixture(scope="module", params=STAGES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


def rows_of(stage: Stage) -> list[Row]:
    sections = list_sections(stage)
    return [row for section in sections for row in [*section.rows, *(r for c in section.choices for r in c.rows)]]


def keys_of(node: Any, prefix: str = "") -> list[str]:
    """Return the dotted keys of a composed config, those of dicts too."""
    if not isinstance(node, dict):
        return []
    return [key for name in node for key in (prefix + name, *keys_of(node[name], f"{prefix}{name}."))]


def test_every_key_has_a_meaning(stage: Stage) -> None:
    rows = rows_of(stage)
    assert [row.name for row in rows if not row.meaning] == []
    explained = {key for row in rows for key in row.keys}
    free = {"data.general.zh", "data.general.en", "data.language_weights.zh", "data.language_weights.en"}
    free |= {"data.creative.also.own"}  # names that a user chooses
    missing = {key for key in keys_of(stage.values) if not key.endswith("_target_")} - explained - free
    assert missing == set()
    assert {field.alias or name for name, field in stage.schema.model_fields.items()} <= explained


def test_every_choice_says_what_it_is(stage: Stage) -> None:
    choices = [(section.group, choice) for section in list_sections(stage) for choice in section.choices]
    assert [(group, choice.name) for group, choice in choices if not choice.about] == []


def test_a_row_of_the_page() -> None:
    page = write_pages()["reference/train.md"]
    row = (
        "| `trainer.global_batch_size` | whole number above 0 | `32` | examples of one optimizer step, on all devices "
    )
    assert row in page
    assert "| `model=qwen2.5-7b-instruct` | The paper's model. |" in page


def test_a_node_at_several_places_is_explained_once() -> None:
    places = ("data.creative", "data.creative.also.own", "data.general.en", "data.general.zh", "data.validation.source")
    rows = [row for row in rows_of(Stage("train")) if "data.general.zh.path" in row.keys]
    assert [row.keys for row in rows] == [tuple(f"{place}.path" for place in places)]


class Commented(Node):
    plain: int
    beside: int  # said beside it
    # said above it,
    # in two lines
    above: Annotated[float, Field(gt=0, le=1)] | None = None
    both: FolderName = "·"  # and beside


def test_comments_of_a_schema() -> None:
    assert read_field_comments(Commented) == {
        "beside": "said beside it",
        "above": "said above it, in two lines",
        "both": "and beside",
    }


def test_comments_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "# @package model\n# What it is:\n# python train.py a=1 \\\n#   b=2\na: 1 # one\nb: # a node\n"
        "  c: '#' # its key\n  # above\n  d: [1, 2]\ne: {f: 1} # flow\n"
    )
    shared = {"e": "flow", "e.f": "flow"}  # keys in one line share its comment
    assert read_file_comments(file) == {"a": "one", "b": "a node", "b.c": "its key", "b.d": "above"} | shared
    assert read_head(file) == "What it is: `python train.py a=1 b=2`"


def test_values_in_words() -> None:
    fields = Commented.model_fields
    assert [describe_field(field) for field in fields.values()] == [
        "whole number",
        "whole number",
        "number above 0 at most 1 or null",
        "name",
    ]

    class Chosen(Node):
        one: Literal["a", "b"]
        many: dict[str, tuple[int, ...]]

    one, many = Chosen.model_fields.values()
    assert describe_field(one) == "`a`, `b`"
    assert describe_field(many) == "mapping (text → list (whole number))"


def test_markdown_shows_a_comment_as_it_is() -> None:
    assert escape("a_b <c> | `x_y` [z]") == "a\\_b &lt;c> \\| `x_y` \\[z\\]"
