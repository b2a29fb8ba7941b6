"""The shapes of data sets: `_target_`s of `conf/source`, each a function from a row to an example's fields.

A function returns a dict with some of the keys `FIELDS`, whose values `examples.py` checks. It raises ValueError with
the reason if a row does not have its shape. Data of another shape need no code if `columns` of the source can name
their columns. Otherwise write such a function and a file under `conf/source/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from coig.config.fields import ExampleField
from coig.data.chats import one_turn
from coig.text.cleaning import Row

FIELDS: tuple[str, ...] = get_args(ExampleField)


def local(row: Row) -> Row:
    """Return the fields of a row of any shape below except plain text; its non-null columns tell the shape.

    The optional columns lang, genre, score and system are used with every shape. If the shape has no reasoning, it is
    the first non-empty column of `REASONINGS`, otherwise "". Raises ValueError if no shape fits, or if a column that
    belongs to the prompt would be lost.
    """
    row = {name: value for name, value in row.items() if value is not None and value != []}
    fields = _shape_of(row)(row)
    if "reasoning" not in fields:
        fields |= {"reasoning": next((row[name] for name in REASONINGS if row.get(name)), "")}
    return {name: row[name] for name in ("lang", "genre", "score", "system") if name in row} | fields


def ours(row: Row) -> Row:
    """Return the fields of a row whose columns have this project's names, those of `FIELDS`; drop other columns.

    Raises ValueError if the row lacks `prompt` or `answer`, or has a value in a column of `UNREAD`.
    """
    _refuse_unread(row)
    return _rename(row, **{name: name for name in FIELDS if name in row or name in ("prompt", "answer")})


def pair(row: Row) -> Row:
    """Return prompt, answer and id of a row with a prompt and an answer column, such as `{question, answer}`.

    Both may be lists of messages, which are read by `one_turn` as one conversation, without the id. A row of GSM8K is
    read by `gsm8k`. Raises ValueError if the row has several of `PROMPTS` or `ANSWERS`, or a value in a column of
    `UNREAD`.
    """
    prompt, answer = _only_column_of(row, PROMPTS), _only_column_of(row, ANSWERS)
    _refuse_unread(row, *(["input"] if prompt == "instruction" else []))
    if "role" in _first(row[prompt]) and "role" in _first(row[answer]):
        return one_turn(row[prompt] + row[answer], f"{prompt} and {answer}")
    if (prompt, answer) == ("question", "answer") and "\n#### " in str(row[answer]) and "reasoning" not in row:
        return gsm8k(row)
    text = _instruction(row) if prompt == "instruction" else row[prompt]
    return {"prompt": text, "answer": row[answer]} | ({"id": row["id"]} if "id" in row else {})


def alpaca(row: Row) -> Row:
    """Return prompt, answer and, if there is one, system message of a row in Alpaca's `{instruction, input, output}`.

    The prompt is the instruction and, if the input is not empty, a blank line and the input. Raises ValueError without
    instruction or output, or for a value in another column of `UNREAD`.
    """
    _refuse_unread(row, "input")
    fields = _rename(row, prompt="instruction", answer="output") | {"prompt": _instruction(row)}
    return fields | ({"system": row["system"]} if row.get("system") else {})


def messages(row: Row) -> Row:
    """Return the fields of a one-turn conversation in OpenAI's column `messages`, and the row's id if it has one."""
    return _conversation(row, "messages")


def conversations(row: Row) -> Row:
    """Return the fields of a one-turn conversation in ShareGPT's column `conversations`, and the row's id if any.

    A row whose answer has OpenThoughts' tags is read by `openthoughts`, without the id.
    """
    fields = _conversation(row, "conversations")
    return openthoughts(row) if re.search(r"<\|(begin|end)_of_(thought|solution)\|>", str(fields["answer"])) else fields


def coig_writer(row: Row) -> Row:
    """Return prompt, reasoning, answer and genre of a row in one of COIG-Writer's three published shapes.

    The shape with `reverse_inspiration_prompt` gives `score` too, another shape `id`. What a row lacks of genre, score
    and id is None.
    """
    if "reverse_inspiration_prompt" in row:
        fields = _rename(row, prompt="reverse_inspiration_prompt", reasoning="reasoning_process", answer="article")
        metadata = row.get("metadata")
        known = metadata if isinstance(metadata, dict) else {}
        return fields | {"genre": known.get("genre"), "score": known.get("quality_score")}
    fields = _rename(row, prompt="query", reasoning="thought", answer="answer")
    return fields | {"id": row.get("id"), "genre": row.get("query_type")}


def r1_distill(row: Row) -> Row:
    """Return prompt, reasoning, answer, genre and score of a row of Chinese-DeepSeek-R1-Distill.

    A row of its SFT variant, which has a column `output`, is read by `alpaca`. Its think block stays in the answer;
    `example_of` moves it to the reasoning.
    """
    if "output" in row:
        return alpaca(row)
    fields = _rename(row, prompt="input", reasoning="reasoning_content", answer="content")
    return fields | {"genre": row.get("repo_name"), "score": row.get("score")}


def openthoughts(row: Row) -> Row:
    """Return prompt, reasoning and answer of a row of OpenThoughts-114k; of its config `metadata` the genre too.

    The tags in the answer are removed, and so is the system message, which only asks for them. Raises ValueError if an
    answer lacks the tags or has text behind them.
    """
    if "deepseek_reasoning" in row:
        fields = _rename(row, prompt="problem", reasoning="deepseek_reasoning", answer="deepseek_solution")
        return fields | {"genre": row.get("domain")}
    turn = one_turn(row.get("conversations"), "conversations")
    thought, rest = _split_at_tags(str(turn["answer"]), "<|begin_of_thought|>", "<|end_of_thought|>")
    solution, rest = _split_at_tags(rest, "<|begin_of_solution|>", "<|end_of_solution|>")
    if rest.strip():
        raise ValueError("conversations: text behind <|end_of_solution|>")
    return {"prompt": turn["prompt"], "reasoning": thought, "answer": solution, "system": None}


def gsm8k(row: Row) -> Row:
    """Return prompt, reasoning and answer of a GSM8K row; what stands before `#### ` in its answer is the reasoning.

    Calculator marks such as `<<48/2=24>>` are removed. Raises ValueError if there is no `#### `.
    """
    fields = _rename(row, prompt="question", answer="answer")
    reasoning, mark, answer = str(fields["answer"]).partition("\n#### ")
    if not mark:
        raise ValueError("answer: no '#### ' before the result")
    return fields | {"reasoning": re.sub(r"<<[^>]*>>", "", reasoning), "answer": answer}


def plain_text(row: Row, column: str | None = None) -> Row:
    """Return the two fields of a document: `answer`, which is its text, and `id`, which may be None.

    `column` names the text's column; None: `text` or `raw_content`. Raises ValueError if the row lacks it.
    """
    name = column or next((known for known in ("text", "raw_content") if known in row), "text")
    return _rename(row, answer=name) | {"id": row.get("id")}


def by_columns(row: Row, columns: Mapping[Any, str]) -> Row:
    """Return the fields of a row whose columns the user names, as {field: column}.

    Columns that are named like a field need no entry. If `prompt` is Alpaca's `instruction`, its `input` is appended.
    Raises ValueError if a column is missing or holds a list of messages.
    """
    named = _rename(row, **columns)
    if lists := [name for name in ("prompt", "answer") if "role" in _first(named.get(name))]:
        raise ValueError(f"{lists[0]}: a list of messages; such rows are read as they are: leave out columns")
    read = set(columns.values()) - set(FIELDS)
    if columns.get("prompt") == "instruction" and "input" not in read:
        named["prompt"] = _instruction(row)
        read.add("input")
    return ours({**{name: value for name, value in row.items() if name not in read}, **named})


# a row has the first shape all of whose columns it has
SHAPES: list[tuple[frozenset[str], Callable[[Row], Row]]] = [
    (frozenset({"messages"}), messages),
    (frozenset({"conversations"}), conversations),
    (frozenset({"prompt", "answer"}), ours),
    (frozenset({"query", "thought", "answer"}), coig_writer),
    (frozenset({"reverse_inspiration_prompt", "reasoning_process", "article"}), coig_writer),
    (frozenset({"input", "reasoning_content", "content"}), r1_distill),
    (frozenset({"instruction", "output"}), alpaca),
    (frozenset({"problem", "deepseek_reasoning", "deepseek_solution"}), openthoughts),
]
# other rows are read if they have exactly one prompt and one answer column
PROMPTS = ("prompt", "question", "query", "instruction", "problem")
ANSWERS = ("answer", "completion", "response", "output", "solution")
REASONINGS = ("reasoning", "reasoning_content", "thinking", "thought", "cot")  # a row's first non-empty one is used
UNREAD = {  # columns that belong to the prompt → why a row with one is refused
    "history": "several turns; only rows of one turn are read",
    "tools": "tool calls, which are not read",
    "images": "images, which are not read",
    "context": "belongs to the prompt; write it there",
    "input": "belongs to the prompt; write it there",
}


def _shape_of(row: Row) -> Callable[[Row], Row]:
    """Return the function that reads rows with these columns. Raises ValueError if there is none."""
    for keys, shape in SHAPES:
        if keys <= row.keys():
            return shape
    if row.keys() & set(PROMPTS) and row.keys() & set(ANSWERS):
        return pair
    nearest = max((keys for keys, _ in SHAPES), key=lambda keys: len(keys & row.keys()))
    if nearest & row.keys():
        raise ValueError(f"missing {', '.join(sorted(nearest - row.keys()))}")
    documents = "; documents are read by the source plain_text" if {"text", "raw_content"} & row.keys() else ""
    raise ValueError(
        f"unknown shape (keys {', '.join(row)}); name its columns with columns={{prompt: …, answer: …}}{documents}"
    )


def _only_column_of(row: Row, names: Sequence[str]) -> str:
    """Return the name of the only one of the columns `names` that a row has.

    The caller makes sure that it has one. Raises ValueError if it has several.
    """
    found = [name for name in names if name in row]
    if len(found) > 1:
        raise ValueError(f"{' and '.join(found)}: which of them is read? name it with columns={{prompt: …, answer: …}}")
    return found[0]


def _conversation(row: Row, column: str) -> Row:
    """Return the fields of the one-turn conversation in a column, with the row's id if it has one.

    Raises ValueError if the row has a value in a column of `UNREAD`, or a column `system` with another text than the
    conversation's system message.
    """
    _refuse_unread(row)
    fields = one_turn(row[column], column) | ({"id": row["id"]} if "id" in row else {})
    if "system" in fields and row.get("system") not in (None, "", fields["system"]):
        raise ValueError(f"system: another text than the system message of {column}; keep one")
    return fields


def _instruction(row: Row) -> Any:
    """Return Alpaca's prompt: the instruction, a blank line, and the input if there is one."""
    return f"{row['instruction']}\n\n{row['input']}" if row.get("input") else row["instruction"]


def _refuse_unread(row: Row, *read: str) -> None:
    """Raise ValueError if a row has a value in a column of `UNREAD`, except those in `read`, which the caller reads."""
    for name, reason in UNREAD.items():
        if row.get(name) and name not in read:
            raise ValueError(f"{name}: {reason}")


def _first(value: Any) -> Any:
    """Return the first item of a list of dicts, or an empty dict for any other value."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _rename(row: Row, **columns: str) -> Row:
    """Return {field: the row's value} for columns given as field=column. Raises ValueError if the row lacks one."""
    if missing := [theirs for theirs in columns.values() if theirs not in row]:
        raise ValueError(f"missing {', '.join(missing)}")
    return {ours: row[theirs] for ours, theirs in columns.items()}


def _split_at_tags(text: str, start: str, end: str) -> tuple[str, str]:
    """Return the text between two tags and the text behind the second.

    Raises ValueError if `text` does not start with the tag `start` or lacks the tag `end`.
    """
    before, opened, rest = text.partition(start)
    inside, closed, behind = rest.partition(end)
    if not (opened and closed) or before.strip():
        raise ValueError(f"no {start} … {end} at the beginning")
    return inside, behind
