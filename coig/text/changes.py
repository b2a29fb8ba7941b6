"""Find what changed between two versions of a text, for people to read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

SENTENCE = re.compile(r"[^。！？!?.\n]*(?:[。！？!?.]+[”’」』\"']*\n*|\n+|$)")
WORD = re.compile(r"[A-Za-z0-9'’-]+|.", re.DOTALL)  # a word of an alphabet, or any other character
LONGEST = 1_000  # words of a passage that is compared word by word; a longer one counts as changed as a whole


class Change(NamedTuple):
    """A piece of two versions: in both (`same`), only in the later one (`added`) or only in the earlier (`removed`)."""

    kind: Literal["same", "added", "removed"]
    text: str


def find_changes(before: str, after: str) -> list[Change]:
    """Return the pieces of which two versions of a text are made, in their order.

    The pieces that are the same or added make up `after`, those that are the same or removed `before`. Sentences are
    matched first (Ratcliff & Obershelp's algorithm, of difflib), then the words of passages in which they differ; in
    Chinese, a word is a character. A passage of more than LONGEST words counts as removed and added as a whole.
    """
    pieces: list[Change] = []
    for kind, old, new in _match(*([one for one in SENTENCE.findall(text) if one] for text in (before, after))):
        words = WORD.findall(old), WORD.findall(new)
        is_long = max(map(len, words)) > LONGEST
        inner = [(kind, old, new)] if kind == "equal" or is_long else _match(*words)
        for inner_kind, removed, added in inner:
            if inner_kind == "equal":
                pieces.append(Change("same", added))
            else:
                pieces += [Change("removed", removed)] * bool(removed) + [Change("added", added)] * bool(added)
    return _join(pieces)


def _match(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, text before, text after) for each stretch in which two sequences agree or differ.

    The kind is difflib's: equal, replace, delete or insert.
    """
    for kind, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield kind, "".join(before[start:end]), "".join(after[new_start:new_end])


def _join(pieces: Sequence[Change]) -> list[Change]:
    """Return the pieces with neighbours of one kind joined, and with what was removed before what was added there."""
    joined: list[Change] = []
    for piece in pieces:
        at = len(joined)
        if piece.kind == "removed" and joined and joined[-1].kind == "added":
            at -= 1  # goes before what was added
        if at and joined[at - 1].kind == piece.kind:
            joined[at - 1] = Change(piece.kind, joined[at - 1].text + piece.text)
        else:
            joined.insert(at, piece)
    return joined
