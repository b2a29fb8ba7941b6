"""The shapes of data sets: `_target_`s of `conf/source`, each a function from a row to an example's fields.

Fields are our names (`FIELDS`); what they hold is checked in `examples.py`. A shape raises ValueError with the reason
why a row is none of its own. A data set of another shape needs no code if its columns can be named (`columns` of the
source); else write such a function and a file under `conf/source/`.
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
    """Return the fields of a row of any of the shapes below (but plain text), told by its columns that are not null.

    Columns of our own optional fields are used whatever the shape. Raises ValueError if a column that belongs to the
    prompt would be lost.
    """
    row = {name: value for name, value in row.items() if value is not None and value != []}
    fields = _shape_of(row)(row)
    if "reasoning" not in fields:
        fields |= {"reasoning": next((row[name] for name in REASONINGS if row.get(name)), "")}
    return {name: row[name] for name in ("lang", "genre", "score", "system") if name in row} | fields


def ours(row: Row) -> Row:
    """Return the fields of `{id, lang, genre, prompt, reasoning, answer, system, score}`, two at least."""
    _refuse_unread(row)
    return _renamed(row, **{name: name for name in FIELDS if name in row or name in ("prompt", "answer")})


def pair(row: Row) -> Row:
    """Return the fields of a prompt and its answer: `{prompt, completion}`, `{question, answer}` …"""
    prompt, answer = _only_one(row, PROMPTS), _only_one(row, ANSWERS)
    _refuse_unread(row, *(["input"] if prompt == "instruction" else []))
    if "role" in _first(row[prompt]) and "role" in _first(row[answer]):
        return one_turn(row[prompt] + row[answer], f"{prompt} and {answer}")
    if (prompt, answer) == ("question", "answer") and "\n#### " in str(row[answer]) and "reasoning" not in row:
        return gsm8k(row)
    text = _instruction(row) if prompt == "instruction" else row[prompt]
    return {"prompt": text, "answer": row[answer]} | ({"id": row["id"]} if "id" in row else {})


def alpaca(row: Row) -> Row:
    """Return the fields of `{instruction, input, output}`: the prompt is the instruction, and below it the input."""
    _refuse_unread(row, "input")
    fields = _renamed(row, prompt="instruction", answer="output") | {"prompt": _instruction(row)}
    return fields | ({"system": row["system"]} if row.get("system") else {})


def messages(row: Row) -> Row:
    """Return the fields of OpenAI's `messages`, one turn."""
    return _conversation(row, "messages")


def conversations(row: Row) -> Row:
    """Return the fields of ShareGPT's `conversations`, one turn, or of OpenThoughts', which hold its tags."""
    fields = _conversation(row, "conversations")
    return openthoughts(row) if re.search(r"<\|(begin|end)_of_(thought|solution)\|>", str(fields["answer"])) else fields


def coig_writer(row: Row) -> Row:
    """COIG-Writer in its three published shapes."""
    if "reverse_inspiration_prompt" in row:
        fields = _renamed(row, prompt="reverse_inspiration_prompt", reasoning="reasoning_process", answer="article")
        metadata = row.get("metadata")
        known = metadata if isinstance(metadata, dict) else {}
        return fields | {"genre": known.get("genre"), "score": known.get("quality_score")}
    fields = _renamed(row, prompt="query", reasoning="thought", answer="answer")
    return fields | {"id": row.get("id"), "genre": row.get("query_type")}


def r1_distill(row: Row) -> Row:
    """Chinese-DeepSeek-R1-Distill; its SFT variant holds the reasoning in the output, between tags."""
    if "output" in row:
        return alpaca(row)
    fields = _renamed(row, prompt="input", reasoning="reasoning_content", answer="content")
    return fields | {"genre": row.get("repo_name"), "score": row.get("score")}


def openthoughts(row: Row) -> Row:
    """OpenThoughts-114k; its config `metadata` too. The system message only demands the tags, so it is left out."""
    if "deepseek_reasoning" in row:
        fields = _renamed(row, prompt="problem", reasoning="deepseek_reasoning", answer="deepseek_solution")
        return fields | {"genre": row.get("domain")}
    turn = one_turn(row.get("conversations"), "conversations")
    thought, rest = _tagged(str(turn["answer"]), "<|begin_of_thought|>", "<|end_of_thought|>")
    solution, rest = _tagged(rest, "<|begin_of_solution|>", "<|end_of_solution|>")
    if rest.strip():
        raise ValueError("conversations: text behind <|end_of_solution|>")
    return {"prompt": turn["prompt"], "reasoning": thought, "answer": solution, "system": None}


def gsm8k(row: Row) -> Row:
    """The reasoning ends at `#### `; `<<48/2=24>>` are calculator marks, not text."""
    fields = _renamed(row, prompt="question", answer="answer")
    reasoning, mark, answer = str(fields["answer"]).partition("\n#### ")
    if not mark:
        raise ValueError("answer: no '#### ' before the result")
    return fields | {"reasoning": re.sub(r"<<[^>]*>>", "", reasoning), "answer": answer}


def plain_text(row: Row, column: str | None = None) -> Row:
    """A document: neither prompt nor reasoning, every token is learned. `column` names the text's."""
    name = column or next((known for known in ("text", "raw_content") if known in row), "text")
    return _renamed(row, answer=name) | {"id": row.get("id")}


def by_columns(row: Row, columns: Mapping[Any, str]) -> Row:
    """Return the fields of a row whose columns the user names: our name → the file's.

    Columns that bear our names need none; Alpaca's `input` belongs to its instruction.
    """
    named = _renamed(row, **columns)
    if lists := [name for name in ("prompt", "answer") if "role" in _first(named.get(name))]:
        raise ValueError(f"{lists[0]}: a list of messages; such rows are read as they are: leave out columns")
    read = set(columns.values()) - set(FIELDS)
    if columns.get("prompt") == "instruction" and "input" not in read:
        named["prompt"] = _instruction(row)
        read.add("input")
    return ours({**{name: value for name, value in row.items() if name not in read}, **named})


# the columns that tell a published shape
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
PROMPTS = ("prompt", "question", "query", "instruction", "problem")  # columns of other shapes, of which
ANSWERS = ("answer", "completion", "response", "output", "solution")  # a row has one each
REASONINGS = ("reasoning", "reasoning_content", "thinking", "thought", "cot")  # the first that a row has
UNREAD = {  # columns that belong to the prompt, and why they are not read
    "history": "several turns; only rows of one turn are read",
    "tools": "tool calls, which are not read",
    "images": "images, which are not read",
    "context": "belongs to the prompt; write it there",
    "input": "belongs to the prompt; write it there",
}


def _shape_of(row: Row) -> Callable[[Row], Row]:
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


def _only_one(row: Row, names: Sequence[str]) -> str:
    """Return which of several columns a row has."""
    found = [name for name in names if name in row]
    if len(found) > 1:
        raise ValueError(f"{' and '.join(found)}: which of them is read? name it with columns={{prompt: …, answer: …}}")
    return found[0]


def _conversation(row: Row, column: str) -> Row:
    _refuse_unread(row)
    fields = one_turn(row[column], column) | ({"id": row["id"]} if "id" in row else {})
    if "system" in fields and row.get("system") not in (None, "", fields["system"]):
        raise ValueError(f"system: another text than the system message of {column}; keep one")
    return fields


def _instruction(row: Row) -> Any:
    """Return Alpaca's prompt: the instruction, a blank line, and the input if there is one."""
    return f"{row['instruction']}\n\n{row['input']}" if row.get("input") else row["instruction"]


def _refuse_unread(row: Row, *read: str) -> None:
    """Raise ValueError if a row has a column that belongs to the prompt, other than those that are `read`."""
    for name, reason in UNREAD.items():
        if row.get(name) and name not in read:
            raise ValueError(f"{name}: {reason}")


def _first(value: Any) -> Any:
    """Return the first message of a list, or an empty one."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _renamed(row: Row, **columns: str) -> Row:
    """The named columns under our names."""
    if missing := [theirs for theirs in columns.values() if theirs not in row]:
        raise ValueError(f"missing {', '.join(missing)}")
    return {ours: row[theirs] for ours, theirs in columns.items()}


def _tagged(text: str, start: str, end: str) -> tuple[str, str]:
    """Return the text between the tags and the text after them."""
    before, opened, rest = text.partition(start)
    inside, closed, behind = rest.partition(end)
    if not (opened and closed) or before.strip():
        raise ValueError(f"no {start} … {end} at the beginning")
    return inside, behind
