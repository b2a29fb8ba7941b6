"""See what the arms answered to one query, side by side.

python -m coig.generation.show query_id=zh-001
python -m coig.generation.show query_id=zh-001 study=demo arms=[cw,general] queries=mine.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coig.cli import config_of, run_tool, show_messages
from coig.config import ConfigError, suggestion
from coig.schema import GenerateConfig
from coig.study import find_arms, find_study

NARROWEST = 36  # columns of the terminal for one arm


def main(arguments: Sequence[str]) -> None:
    """Print every arm's answers to the query: reasoning dimmed, then the answer, then how it ended."""
    show_messages()
    ids = [argument.removeprefix("query_id=") for argument in arguments if argument.startswith("query_id=")]
    config = config_of("generate", GenerateConfig, [a for a in arguments if not a.startswith("query_id=")])
    study = find_study(config.study)
    arms = find_arms(study, config.arms)
    records = [record for arm in arms for record in arm.answers(config.queries_name)]
    if not records:
        raise ConfigError(f"no arm of {study} has generations/{config.queries_name}.jsonl: run generate.py first")
    known = sorted({record["query_id"] for record in records})
    if len(ids) != 1 or ids[0] not in known:
        wrong = f"query_id={ids[0]}: not answered in {study}" if ids else "query_id: not given"
        near = suggestion(ids[0] if ids else "", known)
        raise ConfigError(
            wrong + near if len(near) < 400 else f"{wrong}; there are {known[0]}, {known[1]} … {known[-1]}"
        )
    chosen = [record for record in records if record["query_id"] == ids[0]]
    _show(Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 160), chosen)


def _show(console: Console, records: list[dict[str, Any]]) -> None:
    """As many answers beside each other as the terminal has room for."""
    first = records[0]
    console.print(Text.assemble((f"{first['query_id']} ", "bold"), f"({first['lang']}, {first['genre']})"))
    console.print(first["query"], "")
    per_row = max(1, console.width // NARROWEST)
    for start in range(0, len(records), per_row):
        row = records[start : start + per_row]
        table = Table(box=SIMPLE_HEAD, expand=True, padding=(0, 1), show_footer=True)
        for record in row:
            sample = f" #{record['sample']}" if record["sample"] else ""
            table.add_column(record["arm"] + sample, _ending(record), overflow="fold", ratio=1, footer_style="dim")
        table.add_row(*(_content(record) for record in row))
        console.print(table)


def _content(record: dict[str, Any]) -> Text:
    if record["finish_reason"] == "error":
        return Text(str(record.get("error")), "red")
    reasoning = Text(record["reasoning"] + "\n\n", "dim") if record["reasoning"] else Text()
    return reasoning + (Text(record["answer"]) if record["answer"] else Text("(no answer)", "red"))


def _ending(record: dict[str, Any]) -> str:
    return f"{record['reasoning_tokens']} + {record['answer_tokens']} tokens, {record['finish_reason']}"


if __name__ == "__main__":
    run_tool(main)
