"""Write the reference of configuration keys as pages of Markdown."""

from __future__ import annotations

import inspect

import coig.__main__
from coig.__main__ import STAGES
from recipes.site.comments import escape
from recipes.site.reference import Row, Section, Stage, list_sections


def write_pages() -> dict[str, str]:
    """Return {path in the site: Markdown} of the reference: one page for each stage, and one of all commands."""
    pages = {f"reference/{name}.md": _write_page(name) for name in STAGES}
    commands = "\n".join(["# Commands", "", "```text", (coig.__main__.__doc__ or "").strip(), "```", ""])
    return pages | {"reference/commands.md": commands}


def _write_page(name: str) -> str:
    """Return a stage's page as Markdown."""
    stage = Stage(name)
    about = escape(inspect.getdoc(stage.schema) or "")
    typed = f"Give a key as `key=value`, a group as `group=choice`. `python {name}.py --cfg job` prints them all."
    lines = [f"# {name}.py", "", about, "", typed, ""]
    for section in list_sections(stage):
        lines += [f"## {_title(section)}", ""]
        if section.places and section.places != [""]:
            lines += [_introduce(section), ""]
        if section.rows:
            lines += _write_table(section.rows)
        lines += _write_choices(section)
    return "\n".join(lines)


def _title(section: Section) -> str:
    """Return the heading of a section: its place, the name of a class that has several places, or its group."""
    if not section.places:
        return f"Choices of `{section.group}`"
    if len(section.places) > 1:
        return section.schema.__name__
    return f"`{section.places[0]}`" if section.places[0] else "Keys"


def _introduce(section: Section) -> str:
    """Return what a node is for, where it is if it has several places, and whose keys it has besides its own."""
    text = escape(inspect.getdoc(section.schema) or "")
    if len(section.places) > 1:
        text += f" It is at {', '.join(f'`{place}`' for place in section.places)}."
    if section.base:
        text += f" It also has the keys of [{section.base.__name__}](#{section.base.__name__.lower()})."
    return text


def _write_table(rows: list[Row]) -> list[str]:
    """Return a table of keys as lines of Markdown, without the column of values if no row has any."""
    if any(row.values for row in rows):
        lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
        return [*lines, *(f"| `{row.name}` | {row.values} | {row.default} | {row.meaning} |" for row in rows), ""]
    lines = ["| key | default | meaning |", "| --- | --- | --- |"]
    return [*lines, *(f"| `{row.name}` | {row.default} | {row.meaning} |" for row in rows), ""]


def _write_choices(section: Section) -> list[str]:
    """Return the choices of a section's group as lines of Markdown, each with a table of the arguments that it sets."""
    plain = [choice for choice in section.choices if not choice.rows]
    lines = ["| choice | what it is |", "| --- | --- |"] if plain else []
    lines += [f"| `{section.group}={choice.name}` | {choice.about} |" for choice in plain]
    for choice in section.choices:
        if choice.rows:
            lines += ["", f"### `{section.group}={choice.name}`", "", choice.about, "", *_write_table(choice.rows)]
    return [*lines, ""]
