"""Show the arms' answers to one query side by side.

python -m coig.generation.show query_id=zh-001
python -m coig.generation.show query_id=zh-001 study=demo 'arms=[cw,general]' queries=mine.jsonl
python -m coig.generation.show query_id=zh-001 'arms=[cw,cw@0.5]'
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coig.config import GenerateConfig
from coig.config.command_line import config_of, show_messages
from coig.config.process import run_tool
from coig.display.terminal import make_console
from coig.errors import ConfigError, suggestion
from coig.records.answer import Answer
from coig.study.find import find_named, find_study

NARROWEST = 36  # columns of the terminal for one arm


def main(arguments: Sequence[str]) -> None:
    """Print every arm's answers to a query: dimmed reasoning, answer, token counts and finish reason.

    With `arms`, print those of the arms and points that it names.

    Raises ConfigError if `query_id` is missing or not answered.
    """
    show_messages()
    ids = [argument.removeprefix("query_id=") for argument in arguments if argument.startswith("query_id=")]
    config = config_of("generate", GenerateConfig, [a for a in arguments if not a.startswith("query_id=")])
    study = find_study(config.study)
    arms = find_named(study, config.arms)
    answers = [answer for arm in arms for answer in arm.answers(config.queries_name)]
    if not answers:
        raise ConfigError(f"no arm of {study} has generations/{config.queries_name}.jsonl: run generate.py first")
    known = sorted({answer.query_id for answer in answers})
    if len(ids) != 1 or ids[0] not in known:
        wrong = f"query_id={ids[0]}: not answered in {study}" if ids else "query_id: not given"
        near = suggestion(ids[0] if ids else "", known)
        raise ConfigError(
            wrong + near if len(near) < 400 else f"{wrong}; there are {known[0]}, {known[1]} … {known[-1]}"
        )
    chosen = [answer for answer in answers if answer.query_id == ids[0]]
    _show(make_console(160), chosen)


def _show(console: Console, answers: list[Answer]) -> None:
    """Print the query of the first answer and all answers, as many side by side as fit into the terminal."""
    first = answers[0]
    console.print(Text.assemble((f"{first.query_id} ", "bold"), f"({first.lang}, {first.genre})"))
    console.print(first.query, "")
    per_row = max(1, console.width // NARROWEST)
    for start in range(0, len(answers), per_row):
        row = answers[start : start + per_row]
        table = Table(box=SIMPLE_HEAD, expand=True, padding=(0, 1), show_footer=True)
        for answer in row:
            sample = f" #{answer.sample}" if answer.sample else ""
            table.add_column(answer.arm + sample, _ending(answer), overflow="fold", ratio=1, footer_style="dim")
        table.add_row(*(_content(answer) for answer in row))
        console.print(table)


def _content(answer: Answer) -> Text:
    """Return what a table shows of an answer: its reasoning, dimmed, and its text, or "(no answer)" in red if empty.

    Of a failed answer only the error is shown, in red.
    """
    if answer.failed:
        return Text(str(answer.error), "red")
    reasoning = Text(answer.reasoning + "\n\n", "dim") if answer.reasoning else Text()
    return reasoning + (Text(answer.answer) if answer.answer else Text("(no answer)", "red"))


def _ending(answer: Answer) -> str:
    """Return an answer's token counts and finish reason."""
    return f"{answer.reasoning_tokens} + {answer.answer_tokens} tokens, {answer.finish_reason}"


if __name__ == "__main__":
    run_tool(main)
