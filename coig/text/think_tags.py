"""How a reasoning and the answer behind it stand in one text."""

from __future__ import annotations

REASONING_START = "<think>\n"
REASONING_END = "</think>"


def reasoning_block(reasoning: str) -> str:
    """Return the reasoning between its tags, as it precedes the answer in a target."""
    return f"{REASONING_START}{reasoning}\n{REASONING_END}\n\n"


def split_completion(text: str) -> tuple[str, str]:
    """Reasoning and answer of a generated completion; the inverse of a target's `reasoning_block` + answer.

    Reasoning that never ended is all reasoning: nothing of it is an answer. Text without reasoning is all answer.
    """
    opening = REASONING_START.rstrip()
    stripped = text.strip()
    if not stripped.startswith(opening):
        return "", stripped
    reasoning, _, answer = stripped.removeprefix(opening).partition(REASONING_END)
    return reasoning.strip(), answer.strip()
