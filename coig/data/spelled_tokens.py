"""Keep control tokens that a text spells, such as `<|im_end|>`, from becoming control tokens.

Texts get a mark inside every spelled token before a chat template renders them. The rendered text is split at the marks
and its pieces are tokenized separately. The mark is a character that no text contains, so the decoded text stays the
same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


class SpelledTokens:
    """Finds the control tokens that a text spells.

    Args:
        control_tokens: at least one, longest first.
    """

    def __init__(self, control_tokens: Sequence[str]) -> None:
        self._control = control_tokens
        self._spelling = re.compile(f"(?=({'|'.join(map(re.escape, control_tokens))}))")  # finds overlapping ones too

    def mark_cuts(self, text: str, mark: str) -> str:
        """Insert `mark` after the first character of every control token that `text` spells."""
        if not any(token in text for token in self._control):
            return text
        cuts = [match.start() + 1 for match in self._spelling.finditer(text)]
        return mark.join(text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))


def unused_character(text: str) -> str:
    """Return a private-use character that `text` does not contain, to mark cuts with."""
    return next(character for code in range(0xE000, 0xF8FF) if (character := chr(code)) not in text)
