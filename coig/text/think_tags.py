"""Join reasoning and answer into one text with think tags, and split them again."""

from __future__ import annotations

from coig.text.cleaning import trim_lines

OPENING = "<think>"
REASONING_START = f"{OPENING}\n"
REASONING_END = "</think>"


def reasoning_block(reasoning: str) -> str:
    """Return the reasoning between think tags, followed by the blank line that separates it from the answer."""
    return f"{REASONING_START}{reasoning}\n{REASONING_END}\n\n"


def split_completion(text: str) -> tuple[str, str]:
    """Split a completion into (reasoning, answer), the inverse of `reasoning_block` + answer.

    If the reasoning never ends, the answer is empty. If the text does not begin with a think tag, the reasoning is
    empty, and tags further on stay in the answer. White space around both is removed, but the answer's first line keeps
    its indentation.
    """
    reasoning = text.lstrip()
    if not reasoning.startswith(OPENING):
        return "", trim_lines(text)
    while reasoning.startswith(OPENING):  # twice if a model repeats the tag that its prompt ends with
        reasoning = reasoning.removeprefix(OPENING).lstrip()
    reasoning, _, answer = reasoning.partition(REASONING_END)
    return reasoning.strip(), trim_lines(answer)
