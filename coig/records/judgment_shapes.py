"""Convert rows of other people's judgments to the shape of `Judgment`.

Besides that shape these are read:

- verdicts on pairs, `{query_id, lang, arm_a, arm_b, winner, rater}`, where `winner` is `a`, `b` or `tie`, or
  alpaca_eval's number from 1 (the first arm) to 2 (the second);
- ratings of one arm, `{query_id, lang, arm, dimension, value, rater}`, or with a column `value.DIMENSION` for each
  dimension;
- the ranking export of COIG-Writer's authors.

A table cannot hold lists; there `arms` and `value` are written as JSON.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from coig.files.limits import parse_json
from coig.records.authors import rater_of_file, read_ranking
from coig.records.record import text_of

Row = dict[str, Any]
NAMES = ("id", "supersedes", "study", "query_id", "lang", "genre", "kind", "arm", "arm_a", "arm_b", "rater")
WINNERS = ("a", "b", "tie")
BLANKS = "a name has blanks around it and is read without them"
WHOLE_NUMBERS = "an id is a whole number with a decimal point and is read without it, 7.0 as 7"
SHARES = "winner is a number from 1 to 2: below 1.5 is read as arm_a, 1.5 as a tie, above as arm_b"
NOT_JUDGED = "a judgment is null and is left out"
PARTLY_RATED = "a dimension is null, and counts as not rated"


def convert_row(row: Row, file: Path, changes: Counter[str]) -> Row | None:
    """Return a row of any known shape with the keys of `Judgment`, which checks them afterwards; other keys stay.

    NaN becomes None. Returns None if the judgment is null, except for a row with `failure` or `supersedes`.

    Args:
        file: the row's file; its name gives the rater of the authors' rankings.
        changes: message → number of rows; incremented for each kind of change made in the row, such as removed blanks.

    Raises ValueError for what cannot be converted: a missing arm or value, a `winner` outside 1–2, damaged JSON, a
    ranking in two languages.
    """
    found: set[str] = set()
    if "ranked_responses" in row:
        row = read_ranking(row, row.get("rater") or rater_of_file(file))
    row = {key: None if _is_nan(value) else value for key, value in row.items()}
    row |= {key: _clean_name(row[key], found) for key in NAMES if key in row}
    if "arms" in row:
        row["arms"] = _clean_arms(row["arms"], found)
    if "winner" in row and row.get("kind") in (None, "pairwise"):
        row = _convert_pair(row, found)
    elif row.get("kind") == "rating" or (row.get("kind") is None and "arm" in row):
        row = _convert_rating(row, found)
    elif row.get("kind") == "ranking" and "value" in row:
        row["value"] = _parse_json(row["value"])
    if "value" in row and row["value"] is None and row.get("failure") is None and row.get("supersedes") is None:
        found.add(NOT_JUDGED)
    changes.update(found)
    return None if NOT_JUDGED in found else row


def _convert_pair(row: Row, found: set[str]) -> Row:
    """Return a row with {arm_a, arm_b, winner} as a pairwise verdict, with `arms` and `value`.

    A number from 1 to 2 also gives `soft`, arm_a's share of the win, and adds SHARES to `found`. Raises ValueError for
    another number.
    """
    row = {**row, "kind": "pairwise", "arms": [text_of(row, key) for key in ("arm_a", "arm_b")]}
    winner = _parse_number(row["winner"])
    if not _is_number(winner):
        return row | {"value": winner}
    if not 1 <= winner <= 2:
        raise ValueError(
            f"winner: {row['winner']!r} is none of {', '.join(WINNERS)}, and no number from 1 (arm_a) to 2 (arm_b)"
        )
    found.add(SHARES)
    verdict = "tie" if winner == 1.5 else "a" if winner < 1.5 else "b"
    return row | {"value": verdict, "soft": 2.0 - winner}


def _convert_rating(row: Row, found: set[str]) -> Row:
    """Return a row with `kind` "rating", `arms`, and as `value` a number or {dimension: number}.

    The value comes from columns `value.DIMENSION`, or from `value`, with its dimension in `dimension` if there is one.
    Null dimensions are left out, which adds PARTLY_RATED to `found`; if all are null, `value` is None. Raises
    ValueError without a value or an arm, and for damaged JSON.
    """
    row = {**row, "kind": "rating", "arms": row["arms"] if "arms" in row else [text_of(row, "arm")]}
    wide = {key.removeprefix("value."): value for key, value in row.items() if key.startswith("value.")}
    if not wide and "value" not in row:
        raise ValueError("value: missing; a rating needs value, or a column value.DIMENSION for each dimension")
    value = wide or _parse_number(_parse_json(row["value"]))
    if isinstance(dimension := row.get("dimension"), str) and not isinstance(value, dict):
        value = {dimension.strip(): value}
    if isinstance(value, dict) and value:
        ratings = {dimension: _parse_number(rating) for dimension, rating in value.items()}
        value = {dimension: rating for dimension, rating in ratings.items() if rating is not None} or None
        if value and len(value) < len(ratings):
            found.add(PARTLY_RATED)
    return row | {"value": value}


def _clean_arms(arms: Any, found: set[str]) -> Any:
    """Return a list of cleaned names from a list, its JSON or one name; add what was changed to `found`.

    Raises ValueError for broken JSON.
    """
    names = _parse_json(arms)
    return [_clean_name(name, found) for name in (names if isinstance(names, list | tuple) else [names])]


def _clean_name(value: Any, found: set[str]) -> Any:
    """Return a name in NFC without blanks around it, a number such as 7.0 as its digits; any other value unchanged.

    Adds to `found` that blanks or a decimal point were removed.
    """
    if isinstance(value, float) and value.is_integer():
        found.add(WHOLE_NUMBERS)
    if isinstance(value, str) and value.strip() and value != value.strip():
        found.add(BLANKS)
    try:
        return text_of({"name": value}, "name")
    except ValueError:
        return value


def _parse_json(value: Any) -> Any:
    """Parse a text that starts like a JSON list or object; return any other value unchanged.

    Raises ValueError if the text is damaged.
    """
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    try:
        return parse_json(value)
    except ValueError:
        raise ValueError(f'{value[:40]!r} is no JSON; write a list as ["cw", "general"]') from None


def _parse_number(value: Any) -> Any:
    """Parse a text as a float; return a text that is no number stripped, None for NaN, other values unchanged."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value.strip()
    return None if _is_nan(value) else value


def _is_nan(value: Any) -> bool:
    """Tell whether a value of any type is a float NaN."""
    return isinstance(value, float) and math.isnan(value)


def _is_number(value: Any) -> bool:
    """Tell whether a value is an int or a float; a bool is neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)
