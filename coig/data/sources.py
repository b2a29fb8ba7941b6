"""The shapes of data sets: `_target_`s of `conf/source`, each a function from a row to an example's fields.

Fields are our names (`FIELDS`); what they hold is checked in `examples.py`. A shape raises ValueError with the reason
why a row is none of its own. A data set of another shape needs no code if its columns can be named (`columns` of the
source); else write such a function and a file under `conf/source/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from coig.config.fields import ExampleField
from coig.text.cleaning import Row

FIELDS: tuple[str, ...] = get_args(ExampleField)


def local(row: Row) -> Row:
    """A row of any of the shapes below (but plain text), told by its keys."""
    for keys, shape in SHAPES:
        if keys <= row.keys():
            return shape(row)
    nearest = max((keys for keys, _ in SHAPES), key=lambda keys: len(keys & row.keys()))
    if not nearest & row.keys():
        raise ValueError(f"unknown shape (keys {', '.join(row)}); name its columns with columns={{prompt: …}}")
    raise ValueError(f"missing {', '.join(sorted(nearest - row.keys()))}")


def ours(row: Row) -> Row:
    """`{id, lang, genre, prompt, reasoning, answer, system, score}`, of which three must be there."""
    return _renamed(row, **{name: name for name in FIELDS if name in row or name in ("prompt", "reasoning", "answer")})


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
        if row.get("input"):
            raise ValueError("input: not empty, where the instruction is the whole prompt")
        fields = _renamed(row, prompt="instruction", answer="output")
        reasoning, answer = _tagged(str(fields["answer"]), "<think>", "</think>")
        return fields | {"reasoning": reasoning, "answer": answer}
    fields = _renamed(row, prompt="input", reasoning="reasoning_content", answer="content")
    return fields | {"genre": row.get("repo_name"), "score": row.get("score")}


def openthoughts(row: Row) -> Row:
    """OpenThoughts-114k; its config `metadata` too. The system message only demands the tags, so it is left out."""
    if "deepseek_reasoning" in row:
        fields = _renamed(row, prompt="problem", reasoning="deepseek_reasoning", answer="deepseek_solution")
        return fields | {"genre": row.get("domain")}
    turns = row.get("conversations")
    if not isinstance(turns, list) or [isinstance(turn, dict) and turn.get("from") for turn in turns] != [
        "user",
        "assistant",
    ]:
        raise ValueError("conversations: not one message of user and one of assistant")
    thought, rest = _tagged(str(turns[1].get("value")), "<|begin_of_thought|>", "<|end_of_thought|>")
    solution, rest = _tagged(rest, "<|begin_of_solution|>", "<|end_of_solution|>")
    if rest.strip():
        raise ValueError("conversations: text behind <|end_of_solution|>")
    return {"prompt": turns[0].get("value"), "reasoning": thought, "answer": solution}


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
    """A row whose columns are named by the user: our name → the file's. Columns that bear our names need none."""
    return ours({**row, **_renamed(row, **columns)})


# the keys that tell a shape
SHAPES: list[tuple[frozenset[str], Callable[[Row], Row]]] = [
    (frozenset({"prompt", "reasoning", "answer"}), ours),
    (frozenset({"query", "thought", "answer"}), coig_writer),
    (frozenset({"reverse_inspiration_prompt", "reasoning_process", "article"}), coig_writer),
    (frozenset({"input", "reasoning_content", "content"}), r1_distill),
    (frozenset({"instruction", "output"}), r1_distill),
    (frozenset({"problem", "deepseek_reasoning", "deepseek_solution"}), openthoughts),
    (frozenset({"conversations"}), openthoughts),
    (frozenset({"question", "answer"}), gsm8k),
]


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
