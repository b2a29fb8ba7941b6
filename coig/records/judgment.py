"""Raters' judgments of answers: rankings, verdicts on pairs, ratings, abstentions."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError, model_validator

from coig.errors import DataError
from coig.files.rows import Damaged, read_rows
from coig.records.judgment_shapes import WINNERS, convert_row
from coig.records.record import LanguageName, Record, Text, describe_error

log = logging.getLogger(__name__)
NO_JUDGMENT = (
    "is no judgment: give kind (ranking, pairwise or rating), arms and value; or arm_a, arm_b and winner; "
    "or arm and value; or the authors' ranked_responses"
)
SCORES = {"a": 1.0, "tie": 0.5, "b": 0.0}  # of the first arm
Kind = Literal["ranking", "pairwise", "rating", "abstention"]
# with judges, `arms` of a check but repeat is (arm, the check's name), for the arm's answer and what was made of it
Check = Literal["repeat", "identical", "shuffled", "halved", "repeated_text", "empty", "cut_off", "wrong_language"]


class JudgeFacts(Record):
    """A judge model, with its prompt and sampling settings."""

    model: str
    prompt: str | None = None
    sampling: dict[str, Any] | None = None


class Judgment(Record):
    """One rater's judgment of arms' answers to one query.

    `value` depends on `kind`. ranking: a rank for each arm, 1 is best, equal ranks are ties. pairwise: `a`, `b` or
    `tie` for the first or second of two arms. rating: dimension → rating of one arm. abstention: the reason.
    """

    id: str | None = None  # a second line with one id is the same judgment
    supersedes: str | None = None  # id of the judgment that this one takes back
    study: str | None = None
    query_id: Text
    lang: LanguageName
    genre: str | None = None
    kind: Kind
    arms: tuple[str, ...]
    value: list[float] | str | dict[str, float]
    rater: Text
    source: Literal["human", "judge"] = "human"
    order: tuple[str, ...] | None = None  # arms in the order in which the page showed them
    seconds: float | None = None
    created_at: str | None = None
    good: bool | dict[str, bool] | None = None  # whether the answers are good enough at all
    read: dict[str, float] | None = None  # share of each arm's answer that was seen
    # of a ranking: how many of the best were placed; the others rank below them, equally; None: all were placed
    placed: int | None = None
    probability: float | None = None  # of this query and these arms being drawn
    check: Check | None = None  # of the rater's care, or a probe of a judge
    care: float | None = None  # 0–1, how well the rater did in a check; 1 is right
    characters: int | None = None  # of the prompt and the answers that were shown
    judge: JudgeFacts | None = None
    soft: float | None = None  # a judge's probability that the first arm wins
    failure: str | None = None  # why a judge gave no verdict
    attempts: int | None = None  # how often a judge was asked until its reply could be read
    prompt_tokens: int | None = None  # of all attempts
    reply_tokens: int | None = None
    shown: str | None = None  # digest of the prompt and the answers that a judge was shown

    @property
    def is_evidence(self) -> bool:
        """Tell whether the judgment is evidence about the arms: it is no check, no abstention and no failure."""
        return self.check is None and self.failure is None and self.kind != "abstention"

    def pairs(self) -> Iterator[tuple[str, str, float]]:
        """Yield (arm, other arm, score) for each pair that a ranking or a verdict compares.

        The score is 1 if the first of them won, 0 if it lost, 0.5 for a tie. Ratings and abstentions compare no pairs,
        and two answers that a ranking left unplaced are not compared. A pair without a verdict (`failure`) is a
        KeyError.
        """
        if self.kind == "pairwise" and isinstance(self.value, str):
            yield self.arms[0], self.arms[1], SCORES[self.value]
        elif self.kind == "ranking" and isinstance(self.value, list):
            for (arm, rank), (other, rank_of_other) in combinations(zip(self.arms, self.value, strict=True), 2):
                if self.placed is None or min(rank, rank_of_other) <= self.placed:
                    yield arm, other, 0.5 if rank == rank_of_other else float(rank < rank_of_other)

    @model_validator(mode="before")
    @classmethod
    def _check_value(cls, row: Any) -> Any:
        """Return a copy of the row with `value` checked and normalised for its kind, and an empty genre as None.

        A row that is no dict is returned unchanged, the value of a failure is not checked. Raises ValueError if a key
        is missing, or the kind is unknown, or the arms or the value do not fit it.
        """
        if not isinstance(row, dict):
            return row
        if missing := [key for key in ("query_id", "rater") if key not in row]:
            raise ValueError(f"{missing[0]}: missing")
        if not isinstance(row.get("kind"), str) or row["kind"] not in VALUES:
            raise ValueError(NO_JUDGMENT)
        arms = _check_arms(row.get("arms"))
        if row.get("failure") is None:
            row = {**row, "value": VALUES[row["kind"]](arms, row.get("value"))}
            _check_placed(row["value"], row.get("placed"))
        genre = row.get("genre") if isinstance(row.get("genre"), str) else None
        return {**row, "genre": genre or None}


def _check_arms(arms: Any) -> list[str]:
    """Return the arms as a list. Raises ValueError unless they are different names, at least one."""
    if not isinstance(arms, list | tuple) or not arms or not all(isinstance(arm, str) and arm for arm in arms):
        raise ValueError("arms: must be a list of names")
    if twice := [arm for arm in arms if list(arms).count(arm) > 1]:
        raise ValueError(f"names arm '{twice[0]}' twice; a judgment names an arm once")
    return list(arms)


def _check_ranks(arms: list[str], value: Any) -> list[float]:
    """Return the ranks as floats. Raises ValueError unless there are at least two arms, each with a rank from 1 on."""
    if len(arms) < 2:
        raise ValueError("arms: a ranking needs at least two")
    ranks = value if isinstance(value, list | tuple) else []
    if len(ranks) != len(arms) or not all(_is_number(rank) and rank >= 1 for rank in ranks):
        raise ValueError(f"value: must be a rank from 1 on for each of the {len(arms)} arms; equal ranks are ties")
    return [float(rank) for rank in ranks]


def _check_placed(value: Any, placed: Any) -> None:
    """Raise ValueError unless `placed` is None, or the number of ranks in the list `value` from 1 to `placed`."""
    if placed is not None and (not isinstance(value, list) or sum(rank <= placed for rank in value) != placed):
        raise ValueError(f"placed: must be the number of arms with a rank from 1 to {placed}, in a ranking")


def _check_winner(arms: list[str], value: Any) -> str:
    """Return the verdict on a pair unchanged. Raises ValueError unless there are two arms and it is one of WINNERS."""
    if len(arms) != 2:
        raise ValueError(f"arms: a verdict on a pair is about two, not {len(arms)}")
    if not isinstance(value, str) or value not in WINNERS:
        raise ValueError(f"winner: {value!r} is none of {', '.join(WINNERS)}")
    return value


def _check_ratings(arms: list[str], value: Any) -> dict[str, float]:
    """Return {dimension: rating}; a single number rates the overall preference.

    Raises ValueError unless there is one arm, and at least one rating, all finite numbers.
    """
    if len(arms) != 1:
        raise ValueError(f"arms: a rating is about one, not {len(arms)}")
    ratings = value if isinstance(value, dict) else {"overall preference": value}
    if not ratings:
        raise ValueError("value: holds no rating")
    for dimension, rating in ratings.items():
        if not _is_number(rating):
            raise ValueError(f"value: {dimension} is {rating!r}, no number")
    return {dimension: float(rating) for dimension, rating in ratings.items()}


def _check_reason(arms: list[str], value: Any) -> str:
    """Return an abstention's reason unchanged. Raises ValueError unless it is a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("value: an abstention needs its reason")
    return value


VALUES: dict[str, Callable[[list[str], Any], Any]] = {
    "ranking": _check_ranks,
    "pairwise": _check_winner,
    "rating": _check_ratings,
    "abstention": _check_reason,
}


def _is_number(value: Any) -> bool:
    """Tell whether a value is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_judgments(file: Path, study: str | None) -> Iterator[tuple[str, Judgment]]:
    """Yield (`file:line`, judgment) for every row of a file, in any known shape, that holds a judgment.

    Skips rows whose judgment is null. After the last row, logs how many rows were skipped or changed while reading, and
    how. Raises DataError with place and remedy for a row that is damaged, is no judgment or names another study. A row
    may name no study; None as `study` allows any.
    """
    changes: Counter[str] = Counter()
    rows = 0
    for place, row in read_rows(file):
        rows += 1
        if isinstance(row, Damaged):
            raise DataError(f"{place}: {row.reason}; mend or remove the line")
        try:
            own = convert_row(row if isinstance(row, dict) else {}, file, changes)
            judgment = None if own is None else Judgment.model_validate(own)
        except ValidationError as error:
            raise DataError(f"{place}: {describe_error(error)}") from None
        except ValueError as error:
            raise DataError(f"{place}: {error}") from None
        if judgment is None:
            continue
        if study is not None and judgment.study not in (None, study):
            raise DataError(
                f"{place}: is of study {judgment.study}, not {study}; name its file in that study's evaluation"
            )
        yield place, judgment
    for change, count in changes.items():
        log.warning("%s: in %d of %d rows %s", file, count, rows, change)
