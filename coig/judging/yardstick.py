"""Read pairs of answers of which people prefer one; judging them measures a judge outside the study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coig.records.preference import CHOSEN, REJECTED, read_preferences
from coig.study.items import AnsweredQuery


def read_yardstick_pairs(files: Sequence[Path]) -> list[AnsweredQuery]:
    """Return the pairs of files as questions with two answers, whose arms are CHOSEN and REJECTED.

    Raises DataError for a row that is no such pair, for two pairs of one id, and for files without pairs.
    """
    return [
        AnsweredQuery(str(one.id), one.lang, one.genre, one.prompt, {CHOSEN: one.chosen, REJECTED: one.rejected})
        for one in read_preferences(files)
    ]
