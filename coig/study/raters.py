"""Pseudonyms of raters, which are stable within a study and cannot be guessed without its key."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from coig.files.keys import read_key
from coig.records.judgment import Judgment
from coig.records.label import Label

PSEUDONYM = re.compile(r"rater [0-9a-f]{6}")
KEY = ".raters"  # in the study's folder; only its subfolder `evaluation/` is published


def make_pseudonym(rater: str, study: Path) -> str:
    """Return a rater's pseudonym in a study's report, such as `rater 3f9c2a`; a name that is a pseudonym is kept.

    Names that differ only in white space around them or in their Unicode form are one person's. Writes the study's
    secret key to its folder if it has none.
    """
    name = unicodedata.normalize("NFC", rater).strip()
    if PSEUDONYM.fullmatch(name):
        return name
    digest = hmac.new(read_key(study / KEY).encode(), name.encode(), hashlib.sha256).hexdigest()
    return f"rater {digest[:6]}"


def hide_raters(judgments: Iterable[Judgment], study: Path) -> list[Judgment]:
    """Return judgments in which people's names are replaced by pseudonyms; judge models keep their names."""
    return [
        one if one.source == "judge" else one.model_copy(update={"rater": make_pseudonym(one.rater, study)})
        for one in judgments
    ]


def hide_labellers(labels: Iterable[Label], study: Path) -> list[Label]:
    """Return labels in which people's names are replaced by pseudonyms; models keep their names."""
    return [
        label if label.judge else label.model_copy(update={"labeller": make_pseudonym(label.labeller, study)})
        for label in labels
    ]
