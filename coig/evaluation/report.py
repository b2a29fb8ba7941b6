"""`report.html`: one file that opens anywhere, and `summary.md` for pasting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from coig.evaluation.figures import LANGUAGE_NAMES
from coig.evaluation.tables import COLUMNS, readable

CAPTIONS = {
    "length": "Length of the answers in the model's tokens, reasoning left out. "
    "Box: quartiles; whiskers: 1.5 × the distance between them.",
    "ttr": "Type-token ratio (distinct words / words). It falls with length, "
    "so it does not compare arms whose answers differ in length.",
    "contamination": "Share of answers written in the other language, with 95 % Wilson intervals.",
}


def summary(study: str, table: pl.DataFrame, notes: Sequence[str]) -> str:
    """The tables in Markdown."""
    lines = [f"# Study {study}", ""]
    for lang, rows in _by_language(table):
        lines += [f"## {LANGUAGE_NAMES[lang]}", "", _markdown(list(COLUMNS.values()))]
        lines += [_markdown(["---", *["---:"] * (len(COLUMNS) - 1)]), *map(_markdown, rows), ""]
    return "\n".join([*lines, *(f"- {note}" for note in notes)]).rstrip() + "\n"


def html(
    study: str,
    table: pl.DataFrame,
    answers: pl.DataFrame,
    manifests: Sequence[Mapping[str, Any]],
    svgs: Mapping[str, bytes],
    notes: Sequence[str],
) -> str:
    """The page; every text of a user or a model is escaped."""
    environment = Environment(
        loader=PackageLoader("coig.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html.j2").render(
        study=study,
        columns=COLUMNS.values(),
        tables=[(LANGUAGE_NAMES[lang], rows) for lang, rows in _by_language(table)],
        arms=[_arm_facts(manifest) for manifest in manifests],
        figures=[(name, Markup(_inline(svg)), CAPTIONS[name]) for name, svg in svgs.items()],
        queries=_side_by_side(answers),
        notes=notes,
    )


def _by_language(table: pl.DataFrame) -> list[tuple[str, list[list[str]]]]:
    langs = table["lang"].unique(maintain_order=True).to_list()
    return [
        (lang, [readable(row) for row in table.filter(pl.col("lang") == lang).iter_rows(named=True)]) for lang in langs
    ]


def _arm_facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    groups = manifest["data"]["train"]
    examples = {
        kind: sum(group["examples"] for group in groups if group["kind"] == kind) for kind in ("creative", "general")
    }
    share = f"1:{examples['general'] / examples['creative']:.1f}" if all(examples.values()) else "–"
    return {
        "name": manifest["arm"],
        **examples,
        "share": share,
        "supervised": f"{sum(group['supervised_tokens'] for group in groups):,}",
        "minutes": f"{manifest['times']['seconds'] / 60:.1f}",
        "seed": manifest["seed"],
    }


def _side_by_side(answers: pl.DataFrame) -> list[dict[str, Any]]:
    """Queries with the arms' answers beside each other."""
    return [
        {
            **part.select("query_id", "lang", "genre", "query").row(0, named=True),
            "answers": part.select("arm", "reasoning", "answer", "finished").to_dicts(),
        }
        for part in answers.partition_by("query_id", maintain_order=True)
    ]


def _inline(svg: bytes) -> str:
    """The `<svg>` element without its XML prologue."""
    text = svg.decode()
    return text[text.index("<svg") :]


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
