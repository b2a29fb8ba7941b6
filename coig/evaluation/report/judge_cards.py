"""Write each judge's card as JSON, which `python -m coig.evaluation.power judge=FILE` reads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from coig.evaluation.report.results import Evaluation

OF_JUDGE = {"figures": "judge_card", "genres": "judge_genres", "failures": "judge_failures", "yardstick": "yardstick"}


def render_cards(evaluation: Evaluation) -> dict[str, str]:
    """Render the card of every judge; return the files' contents by name, such as `judges/qwen.json`.

    A card has the judge's model, prompt and sampling, and for each language its calls and tokens, its worth beside
    people (null without people), and the rows of its tables.
    """
    judges = evaluation.table("judges")
    if judges is None:
        return {}
    cards: dict[str, str] = {}
    for (name,), rows in judges.group_by("judge", maintain_order=True):
        facts = rows.row(0, named=True)
        card: dict[str, Any] = {key: facts[key] for key in ("judge", "model", "prompt", "sampling")}
        card["languages"] = {row["lang"]: _of_language(evaluation, row) for row in rows.iter_rows(named=True)}
        cards[f"judges/{make_file_name(str(name))}.json"] = json.dumps(card, ensure_ascii=False, indent=1) + "\n"
    return cards


def make_file_name(judge: str) -> str:
    """Return a judge's name if a file can have it and it has at most 60 characters; else a similar one with a hash.

    No two judges get the same name.
    """
    plain = re.sub(r"[^\w.+-]", "-", judge)[:60]
    return plain if plain == judge else f"{plain}-{hashlib.sha256(judge.encode()).hexdigest()[:6]}"


def _of_language(evaluation: Evaluation, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card says of one language: calls, tokens, worth (None if unknown), and the rows of each table.

    The tables are those of OF_JUDGE, by its keys; [] for one without rows of the judge. `row` is of JUDGES.
    """
    found: dict[str, Any] = {key: row[key] for key in ("calls", "prompt_tokens", "reply_tokens")}
    worth = _rows(evaluation, "judge_worth", lang=row["lang"], predictor=row["judge"])
    found["worth"] = worth[0] if worth else None
    for key, table in OF_JUDGE.items():
        found[key] = _rows(evaluation, table, lang=row["lang"], judge=row["judge"])
    return found


def _rows(evaluation: Evaluation, table: str, **chosen: str) -> list[dict[str, Any]]:
    """Return the rows of a table whose columns have the `chosen` values, without these columns; [] without any row."""
    frame = evaluation.table(table)
    if frame is None:
        return []
    return frame.filter(*(pl.col(key) == value for key, value in chosen.items())).drop(*chosen).to_dicts()
