"""Detect a text's language from its script; language identifiers miss texts that mix two."""

from __future__ import annotations

import re

import polars as pl

HAN_LETTERS = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
LATIN_LETTERS = r"A-Za-z\u00c0-\u024f"
HAN = re.compile(f"[{HAN_LETTERS}]")
LATIN_WORD = re.compile(f"[{LATIN_LETTERS}]+(?:['’][A-Za-z]+)*")
HAN_PER_WORD = 1.6  # a Latin word says about as much as 1.6 Han characters
PURE = 0.8  # least script share at which a text counts as one language


def script_share(text: pl.Expr) -> pl.Expr:
    """Return an expression for the share of Chinese script: Han characters / (Han characters + 1.6 × Latin words).

    0 is English and 1 Chinese; null is a text with neither.
    """
    han = text.str.count_matches(HAN.pattern)
    both = han + HAN_PER_WORD * text.str.count_matches(LATIN_WORD.pattern)
    return pl.when(both > 0).then(han / both)


def language_of(share: pl.Expr) -> pl.Expr:
    """Return an expression: `zh`, `en` or `mixed` for a share from `script_share`, `und` (undetermined) for null."""
    one = pl.when(share >= PURE).then(pl.lit("zh")).when(1 - share >= PURE).then(pl.lit("en"))
    return pl.when(share.is_null()).then(pl.lit("und")).otherwise(one.otherwise(pl.lit("mixed")))
