"""How a reasoning and the answer behind it stand in one text."""

from __future__ import annotations

from coig.text.cleaning import trim_lines

OPENING = "<think>"
REASONING_START = f"{OPENING}\n"
REASONING_END = "</think>"


def reasoning_block(reasoning: str) -> str:
    """Return the reasoning between its tags, as it precedes the answer in a target."""
    return f"{REASONING_START}{reasoning}\n{REASONING_END}\n\n"


def split_completion(text: str) -> tuple[str, str]:
    """Split a generated completion into reasoning and answer, the inverse of a target's `reasoning_block` + answer.

    Reasoning that never ended is all reasoning: nothing of it is an answer. Text without reasoning is all answer. Blank
    lines around both are left out; an answer's first line keeps its indentation.
    """
    reasoning = text.lstrip()
    if not reasoning.startswith(OPENING):
        return "", trim_lines(text)
    while reasoning.startswith(OPENING):  # twice where a model repeats the one that its prompt ends with
        reasoning = reasoning.removeprefix(OPENING).lstrip()
    reasoning, _, answer = reasoning.partition(REASONING_END)
    return reasoning.strip(), trim_lines(answer)
