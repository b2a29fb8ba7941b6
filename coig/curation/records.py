"""The types of what a curation keeps: articles as they were collected, triplets, and what people do with them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from coig.records.record import Record, Text
from coig.text.language_codes import language_code

State = Literal[
    "ingested",  # read, and within the rules of length, language and date
    "excluded",  # outside of them
    "assessed",  # passed the rule checks
    "unfit",  # did not
    "unique",  # no copy of another text
    "duplicate",  # a copy
    "screened",  # good enough for a judge, or for the people who looked again
    "rejected",  # not
    "written",  # has a triplet that waits for scores
    "scored",  # the scores are high enough, and reviewers are asked
    "refine",  # went back to the writer
    "accepted",
    "removed",  # by the reviewers
    "taken_down",  # its texts were deleted, at somebody's request
]
STATES: tuple[State, ...] = get_args(State)
Decision = Literal["accept", "refine", "remove"]
Part = Literal["prompt", "reasoning", "article"]
CATEGORIES = ("planning", "style", "culture", "narrative", "revision")  # of a writer's decisions, in this order
SCORES = tuple(f"{part}_{measure}" for part in get_args(Part) for measure in ("quality", "creativity"))


def _date(value: Any) -> Any:
    """Return a text such as 2024-05-01T08:00:00+08:00, 2024/5/1 or 2024年5月1日 as a date, without its time.

    A datetime becomes its date; any other value is returned unchanged. Raises ValueError for a text that is no date.
    """
    if not isinstance(value, str):
        return value.date() if hasattr(value, "date") else value
    parts = value.strip().replace("年", "-").replace("月", "-").replace("日", "").replace("/", "-").replace(".", "-")
    numbers = parts.partition("T")[0].partition(" ")[0].split("-")
    try:
        return date(*map(int, numbers))
    except (TypeError, ValueError):
        raise ValueError(f"published: {value!r} is no date such as 2024-05-01") from None


def _language(value: Any) -> Any:
    """Return the code of a language's name, such as zh; any value that is no text unchanged."""
    return language_code(value) if isinstance(value, str) else value


class Article(Record):
    """A row of collected articles. Only its text is required; a curation can be audited only with the rest."""

    text: Annotated[str, Field(strict=True)]
    title: Text | None = None
    lang: Annotated[Text | None, BeforeValidator(_language)] = None  # null: seen by its script
    genre: Text | None = None
    url: Text | None = None
    author: Text | None = None
    licence: Text | None = None
    published: Annotated[date | None, BeforeValidator(_date)] = None
    collector: Text | None = None  # who collected it
    engagement: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None  # likes or readers; a proxy of quality


class Act(Record):
    """What a person does with a text. `by` is the person's name; an act whose `key` is known is not added again."""

    kind: str
    text: Text  # the text's id
    by: Text
    key: Text | None = None
    seconds: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None  # of work


class Draft(Record):
    """A model's draft that a writer began with."""

    model: Text
    prompt: str
    reasoning: str


class Writing(Act):
    """A triplet that a writer made of an article: the prompt, and the reasoning as five kinds of decisions."""

    kind: Literal["write"]
    prompt: Text
    planning: Text
    style: Text
    culture: Text
    narrative: Text
    revision: Text
    article: Text | None = None  # null: as it was collected
    draft: Draft | None = None  # null: written without a model
    why: Text | None = None  # what a new version changes

    @property
    def reasoning(self) -> str:
        """Return the five kinds of decisions as one text, a paragraph each."""
        return "\n\n".join(getattr(self, category) for category in CATEGORIES)


Score = Annotated[int, Field(ge=1, le=10)]


class Scoring(Act):
    """Six scores of a triplet, by somebody else than its writer."""

    kind: Literal["score"]
    article_quality: Score
    article_creativity: Score
    prompt_quality: Score
    prompt_creativity: Score
    reasoning_quality: Score
    reasoning_creativity: Score

    @property
    def scores(self) -> dict[str, int]:
        """Return {name: score}, in the order of SCORES."""
        return {name: getattr(self, name) for name in SCORES}


class Comment(Record):
    """A reviewer's comment at a passage: characters `start` to `end` of a part."""

    part: Part
    start: Annotated[int, Field(ge=0)]
    end: int
    comment: Text


class Review(Act):
    """A reviewer's decision about a triplet."""

    kind: Literal["review"]
    decision: Decision
    comments: tuple[Comment, ...] = ()
    why: Text | None = None


class Recheck(Act):
    """A person's verdict on a text that the judge rejected: whether it is fit after all."""

    kind: Literal["recheck"]
    fit: bool
    why: Text | None = None


class Split(Act):
    """A person's word that a text is no copy of the one that was kept."""

    kind: Literal["split"]
    why: Text


class Clearing(Act):
    """A person's word that what looks like personal data in a text is none, or may be published."""

    kind: Literal["clear"]
    why: Text


class TakeDown(Act):
    """The deletion of a text and all its versions, for example at its author's request."""

    kind: Literal["take_down"]
    why: Text


ACTS: dict[str, type[Act]] = {
    "write": Writing,
    "score": Scoring,
    "review": Review,
    "recheck": Recheck,
    "split": Split,
    "clear": Clearing,
    "take_down": TakeDown,
}
