"""The messages of a rater's page: consent, drafts, verdicts and abstentions; and how places on the page become arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coig.config import Protocol

REASONS = ("wrong language", "empty", "refused", "unsafe", "not understood", "other")
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=10**7, allow_inf_nan=False)]
Place = Annotated[int, Field(ge=0, lt=100)]
Number = Annotated[int, Field(gt=0, lt=2**31)]  # of a rater's task
Places = Annotated[tuple[Place, ...], Field(max_length=100)]


class Reply(BaseModel):
    """A message of the rater's page; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answered(Reply):
    """What a rater has chosen so far: everything is empty before the first choice.

    Answers are named by their place on the page, from 0.
    """

    groups: Annotated[tuple[Places, ...], Field(max_length=100)] = ()  # best first; those of one group tie
    ratings: Annotated[tuple[dict[str, int], ...], Field(max_length=100)] = ()  # of each place, by dimension
    good: bool | None = None
    seconds: Seconds = 0.0  # active
    visible: Seconds = 0.0
    read: Annotated[tuple[Share, ...], Field(max_length=100)] = ()  # share of each answer that was in view


class Draft(Reply):
    """What a rater has chosen on a task but not sent yet."""

    number: Number
    draft: Answered
    at: Annotated[float, Field(ge=0, allow_inf_nan=False)]  # when it was made, in milliseconds since 1970


class Sent(Reply):
    """A verdict or, with a `reason`, an abstention.

    `key` is new for each message, and the same if the page sends a message again.
    """

    number: Number
    key: Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{16,64}$")]
    answered: Answered
    reason: Literal["wrong language", "empty", "refused", "unsafe", "not understood", "other"] | None = None
    note: Annotated[str, Field(max_length=500)] = ""  # on an abstention
    about: Places = ()  # places of the answers that cannot be judged; none: all


class Start(Reply):
    """Consent to take part, and the languages that the rater reads."""

    agreed: Literal[True]
    langs: Annotated[tuple[Literal["zh", "en"], ...], Field(max_length=2)] = ()


def value_of(sent: Sent, shown: Sequence[str], protocol: Protocol) -> tuple[str, dict[str, Any]]:
    """Return the kind of judgment that was sent, and its value, which names arms instead of places on the page.

    The value of a ranking or a pair is {arm: rank}, with None for an answer that was not placed; of a rating
    {arm: {dimension: rating}}; of an abstention {reason, arms}, with all arms if it is about none in particular.
    Answers of one group have equal ranks: 1 plus the number of better answers.

    Args:
        shown: the arms as they stand on the page.

    Raises ValueError if something that the protocol asks for is missing, or an answer is named twice or is not on the
    page.
    """
    if sent.reason is not None:
        _check_places(sent.about, len(shown))
        reason = f"{sent.reason}: {sent.note.strip()}" if sent.note.strip() else sent.reason
        return "abstention", {"reason": reason, "arms": [shown[place] for place in sent.about] or [*shown]}
    if protocol.good and sent.answered.good is None:
        raise ValueError("good: not answered")
    if protocol.kind == "rating":
        return "rating", dict(zip(shown, _check_ratings(sent.answered.ratings, len(shown), protocol), strict=True))
    places = [place for group in sent.answered.groups for place in group]
    _check_places(places, len(shown))
    if len(places) < min(protocol.best or len(shown), len(shown)) or not all(sent.answered.groups):
        raise ValueError("groups: not all answers are placed")
    ranks: dict[str, Any] = {}
    for group in sent.answered.groups:
        ranks |= dict.fromkeys((shown[place] for place in group), len(ranks) + 1)
    ranks |= dict.fromkeys((arm for arm in shown if arm not in ranks), None)
    return "pairwise" if protocol.kind == "pairs" else "ranking", ranks


def _check_places(places: Sequence[int], size: int) -> None:
    """Raise ValueError if a place is not on the page or is named twice."""
    if len(set(places)) < len(places) or any(place >= size for place in places):
        raise ValueError("an answer is named twice or is not on the page")


def _check_ratings(ratings: Sequence[dict[str, int]], size: int, protocol: Protocol) -> Sequence[dict[str, int]]:
    """Return the ratings unchanged.

    Raises ValueError unless each of the `size` answers is rated on the protocol's dimensions, no others, and within its
    scale.
    """
    low, high = protocol.scale
    for one in ratings:
        if set(one) != set(protocol.dimensions) or not all(low <= rating <= high for rating in one.values()):
            raise ValueError("ratings: each answer needs a rating on each dimension, within the scale")
    if len(ratings) != size:
        raise ValueError("ratings: not all answers are rated")
    return ratings
