"""The config schema of `curate.py`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from coig.config.fields import SAMPLE_PREFIX, FilePatterns, FolderName, Words
from coig.config.nodes import Constructor, Node
from coig.config.serving import Served
from coig.text.language_codes import Language

CURATIONS = Path("curations")  # the folder of curations, relative to the working directory
Share = Annotated[float, Field(ge=0, le=1)]
Likeness = Annotated[float, Field(gt=0, le=1)]
NullIsEmpty = BeforeValidator(lambda value: {} if value is None else value)
Minutes = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Keeping = Literal["longest", "earliest", "most_engaged"]
ArticleField = Literal[
    "text", "title", "lang", "genre", "url", "author", "licence", "published", "collector", "engagement"
]


class Ingest(Node):
    """Settings of the stage `ingest`: which articles are taken in."""

    columns: Annotated[dict[ArticleField, str], NullIsEmpty]  # our field name → the files' column name
    collector: str | None  # of rows that name none
    licence: str | None  # of rows that name none
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]  # articles in others are left out
    min_characters: int = Field(ge=1)
    max_characters: int = Field(ge=1)
    published_after: date | None  # null: of any date, or none


class Assess(Node):
    """Settings of the stage `assess`: the limits of the rule checks; shares are from 0 to 1."""

    max_repeated: Share  # of characters in lines or sentences that stand in the text before
    max_symbols: Share  # of characters that are neither letters nor punctuation
    min_diversity: Share  # distinct words / words, of the first 200 words
    min_engagement: Annotated[float, Field(ge=0)] | None  # null: no condition; texts without a figure pass


class Dedupe(Node):
    """Settings of the stage `dedupe`: when two texts are copies, and which of them is kept."""

    jaccard: Likeness
    containment: Likeness
    excerpt: int = Field(ge=1)  # the fewest characters of a text that can be an excerpt of another
    shown: Likeness  # the least Jaccard similarity of pairs that are stored for the histogram
    keep: Annotated[tuple[Keeping, ...], Field(min_length=1)]  # the first rule that tells two copies apart
    against: FilePatterns  # files of queries and triplets that no text may be a copy of
    largest: int = Field(ge=1)  # texts that are compared exactly; more are compared by MinHash
    executor: Constructor | None  # of datatrove, which finds candidates on many machines; null: rensa finds them here

    @model_validator(mode="after")
    def _shows_all_copies(self) -> Dedupe:
        """Raise ValueError if `shown` is above `jaccard`."""
        if self.shown > self.jaccard:
            raise ValueError(f"shown: is above jaccard={self.jaccard:g}, so that copies would not be stored; lower it")
        return self


class ServedModel(Node):
    """A model behind a server of OpenAI's protocol; OPENAI_API_KEY gives its key if it needs one."""

    base_url: str
    model: str | None  # null: none
    temperature: float = Field(ge=0, allow_inf_nan=False)  # 0: always the likeliest token
    max_tokens: int = Field(gt=0)  # of a reply
    concurrency: int = Field(gt=0)  # most requests in flight at a time
    timeout: float = Field(gt=0)  # seconds for one reply
    retries: int = Field(ge=0)  # repeats of a failed request
    attempts: int = Field(gt=0)  # how often a text is asked about until a reply can be read


class Screen(Node):
    """Settings of the stage `screen`: the judge, its least scores, and how many rejected texts people check again."""

    judge: ServedModel
    least: int = Field(ge=1, le=10)  # of quality and of creativity
    recheck: Share  # of the rejected texts, drawn at random


class Accept(Node):
    """Settings of acceptance: the least scores of a triplet, and how many people must score and review it."""

    least: int = Field(ge=1, le=10)  # of each of the six scores
    least_sum: int = Field(ge=6, le=60)  # of all six scores together
    scorers: int = Field(ge=1)  # others than the writer
    reviewers: int = Field(ge=1)  # who decide about a triplet
    special_genres: tuple[str, ...]  # genres that need specialised knowledge
    special_reviewers: int = Field(ge=1)  # who decide about a triplet of a special genre

    def reviewers_of(self, genre: str | None) -> int:
        """Return how many reviewers a triplet of a genre needs."""
        return self.special_reviewers if genre in self.special_genres else self.reviewers


class Work(Node):
    """The minutes that people need for one text, assumed until they have done enough for an estimate."""

    write: Minutes  # a triplet
    score: Minutes  # a triplet
    review: Minutes  # a triplet
    recheck: Minutes  # a text that the judge rejected


class CurateConfig(Served):
    """The config of `curate.py`: which articles are curated, by which rules, and what is done now."""

    name: FolderName
    stage: Literal["ingest", "assess", "dedupe", "screen", "write", "review", "export", "status", "all"]
    input: FilePatterns
    scripted: bool | None  # null: a script writes, scores and reviews the embedded articles, and no others
    by: str | None  # who runs the stage; null: the account's name
    seed: int = Field(ge=0, lt=2**32)
    ingest: Ingest
    assess: Assess
    dedupe: Dedupe
    screen: Screen
    accept: Accept
    quotas: Annotated[dict[str, Annotated[int, Field(ge=0)]], NullIsEmpty]  # wanted triplets by genre
    minutes: Work
    people: Words  # who may write, score and review on the page
    lease_hours: float = Field(gt=0, allow_inf_nan=False)  # how long a text is kept for somebody who does not save
    draft: ServedModel  # writes drafts for writers who ask for one
    held_out: Share  # of the accepted triplets
    imports: FilePatterns = Field(alias="import")  # what people did elsewhere

    @property
    def folder(self) -> Path:
        """Return the path of the curation's folder."""
        return CURATIONS / self.name

    @property
    def is_scripted(self) -> bool:
        """Tell whether a script does the work of people: as `scripted` says.

        If that is null, it does for the embedded articles, unless `people` are named.
        """
        return self.is_sample and not self.people if self.scripted is None else self.scripted

    @property
    def is_sample(self) -> bool:
        """Tell whether all articles are the embedded ones; false if `input` names no files."""
        return bool(self.input) and all(text.startswith(SAMPLE_PREFIX) for text in self.input)

    @model_validator(mode="after")
    def _only_the_sample_is_scripted(self) -> CurateConfig:
        """Raise ValueError if a script shall do people's work beside them, or on other articles than the embedded."""
        if self.scripted and not self.is_sample:
            raise ValueError(
                "scripted: a script is no writer and no reviewer, so it curates the embedded articles only; leave "
                "scripted out"
            )
        if self.scripted and self.people:
            raise ValueError("scripted: the work is done by people or by a script; leave people or scripted out")
        return self
