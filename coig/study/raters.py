"""Pseudonyms of raters, which are stable within a study and cannot be guessed without its key."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from coig.files.atomic import write_atomic
from coig.records.judgment import Judgment
from coig.records.label import Label

PSEUDONYM = re.compile(r"rater [0-9a-f]{6}")
KEY = ".raters"  # in the study's folder; only its subfolder `evaluation/` is published


def make_pseudonym(rater: str, study: Path) -> str:
    """Return a rater's pseudonym in a study's report, such as `rater 3f9c2a`; a name that is a pseudonym is kept.

    Writes the study's secret key to its folder if it has none.
    """
    if PSEUDONYM.fullmatch(rater):
        return rater
    file = study / KEY
    if not file.exists():
        write_atomic(file, secrets.token_hex(16))
    digest = hmac.new(file.read_bytes(), rater.encode(), hashlib.sha256).hexdigest()
    return f"rater {digest[:6]}"


def name_raters(table: pl.DataFrame, judgments: Iterable[Judgment], study: Path) -> pl.DataFrame:
    """Replace people's names in the column `rater` by pseudonyms, and sort by `lang`, zh first, and rater.

    `judgments` tell who is a person; judge models keep their names.
    """
    people = {one.rater for one in judgments if one.source == "human"}
    pseudonyms = {rater: make_pseudonym(rater, study) for rater in people}
    return table.with_columns(pl.col("rater").replace(pseudonyms)).sort("lang", "rater", descending=[True, False])


def name_labellers(labels: Iterable[Label], study: Path) -> list[Label]:
    """Return labels in which people's names are replaced by pseudonyms; models keep their names."""
    return [
        label if label.judge else label.model_copy(update={"labeller": make_pseudonym(label.labeller, study)})
        for label in labels
    ]
