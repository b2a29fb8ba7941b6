"""The config schema of `annotate.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from coig.config.fields import ArmNames, ExistingFolder, FilePatterns, FolderName, QueriesNames, Words
from coig.config.nodes import Node
from coig.config.serving import Served
from coig.text.language_codes import LANGUAGES, Language

CheckKind = Literal["repeat", "identical", "shuffled", "halved", "repeated_text"]


class Protocol(Node):
    """Settings of the protocol: what raters are asked about the answers to a query."""

    # all answers to a query are put in order, two are compared at a time, or each is rated
    kind: Literal["ranking", "pairs", "rating"]
    good: bool  # also ask whether the best answer is good
    best: Annotated[int, Field(gt=0)] | None = None  # ranking: how many of the best must be placed; null: all answers
    # pairs: how many of a query's pairs are judged, each equally often over all queries; null: all
    pairs_per_query: Annotated[int, Field(gt=0)] | None = None
    dimensions: tuple[str, ...] = ()  # rating: what each answer is rated on
    scale: tuple[int, int] = (0, 3)  # rating: lowest and highest

    @model_validator(mode="after")
    def _check_rating(self) -> Protocol:
        """Raise ValueError if the kind is rating without dimensions, or `scale` does not ascend by 1 to 10."""
        if self.kind == "rating" and not self.dimensions:
            raise ValueError("dimensions: name what is rated, such as protocol.dimensions=['creative merit']")
        if not self.scale[0] < self.scale[1] <= self.scale[0] + 10:
            raise ValueError("scale: give the lowest rating, then the highest, at most 10 above it")
        return self


class Checks(Node):
    """Checks of the raters' care, and the rule by which a rater is flagged; fix it before anybody judges."""

    every: int = Field(ge=0)  # one check after so many queries; 0: none
    # the same query again, two identical answers, or an answer with a planted defect
    kinds: Annotated[tuple[CheckKind, ...], Field(min_length=1)]
    least: int = Field(gt=0)  # a rater with fewer checks is not flagged
    flag_below: float = Field(ge=0, le=1)  # mean result of a rater's checks


class Completion(Node):
    """The code and the page that raters of a recruiting service get after their last query."""

    code: str | None
    url: str | None  # the service's page that takes the code

    @model_validator(mode="after")
    def _check_url(self) -> Completion:
        """Raise ValueError unless the URL is null or begins with https://."""
        if self.url is not None and not self.url.startswith("https://"):
            raise ValueError("url: must begin with https://")
        return self


def _langs_by_rater(value: Any) -> Any:
    """Turn a list of names, or one name, into {name: None}: these raters are asked which languages they read.

    Null becomes {}, no rater; a dict is returned unchanged. Raises ValueError if the list holds something else than
    names, or a name twice.
    """
    names = [value] if isinstance(value, str) else value or ()
    if not isinstance(names, list | tuple):
        return value
    if other := [name for name in names if not isinstance(name, str)]:
        raise ValueError(f"{other[0]!r} is no name; write [ann,bob], or {{ann: zh, bob: [zh,en]}} with their languages")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]} comes twice; give each rater a name of their own")
    return dict.fromkeys(names)


def _langs(value: Any) -> Any:
    """Turn one language into a list of it; return any other value unchanged."""
    return [value] if value in LANGUAGES else value


Langs = Annotated[tuple[Language, ...], BeforeValidator(_langs), Field(min_length=1)]
RaterName = Annotated[str, Field(min_length=1, max_length=100)]


class AnnotateConfig(Served):
    """The config of `annotate.py`: who compares which answers, and how."""

    study: FolderName | None
    arms: ArmNames | None
    # names as in generations/<queries>.jsonl: sample, held_out, or the stem of a file of queries
    queries: QueriesNames
    answers: FilePatterns  # files of answers in the paper authors' format, instead of our generations
    database: str | None  # URL of a PostgreSQL database; null: judgments.sqlite in the study's folder
    protocol: Protocol
    raters: Annotated[dict[RaterName, Langs | None], BeforeValidator(_langs_by_rater)]
    recruits: int = Field(ge=0)  # how many more may join by one link
    sample: Annotated[int, Field(gt=0)] | None  # how many queries are drawn at random; null: all
    raters_per_query: Annotated[int, Field(gt=0)] | None  # null: every rater judges every query
    queries_per_rater: Annotated[int, Field(gt=0)] | None
    seed: int = Field(ge=0, lt=2**32)
    checks: Checks
    texts: ExistingFolder | None  # of consent, instructions and examples; null: only our instructions and examples
    practice: bool  # let raters judge examples before their first query, with feedback
    markdown: bool  # show the answers' Markdown, of the whole study
    completion: Completion
    lease_minutes: float = Field(gt=0)  # how long a query is kept for a rater who does not send it
    export: Literal["jsonl", "authors"] | None
    history: bool  # export superseded judgments too
    imports: FilePatterns = Field(alias="import")  # judgments made elsewhere
    erase: Words  # raters of whom everything is deleted
