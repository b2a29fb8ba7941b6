"""The config group `data`: sources, filters, and the number of examples from each source."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from coig.config.fields import ExampleField, ExistingFiles, FilePattern, FolderName, Half, RatioText, Words
from coig.config.nodes import Absent, Constructor, Node
from coig.config.ratio import Ratio
from coig.text.language_codes import Language

LOCAL = "coig.data.sources.local"
DEFAULT = "10k"  # the ratio in conf/data/base/mixture.yaml


class Hub(Node):
    """Files of a data set on the Hugging Face hub."""

    repo: str  # owner/name
    files: Annotated[Words, Field(min_length=1)]  # paths in the repository
    revision: str  # a commit or a branch; the manifest records the commit that was read
    licence: Annotated[str | None, Absent(None)] = None  # of these files; null: not recorded


class Filters(Node):
    """Conditions that a source's rows must meet; null is no condition."""

    min_score: Annotated[float, Field(allow_inf_nan=False)] | None  # a judge's score, on the source's scale
    min_language_share: Annotated[float, Field(ge=0, le=1)] | None  # share of script in the row's language
    min_characters: Annotated[int, Field(ge=0)] | None  # of prompt, reasoning and answer together
    max_characters: Annotated[int, Field(gt=0)] | None  # of all three, too
    topics: Words | None  # patterns of the genre, such as exam/*; a row must match one
    not_topics: Words | None  # a row may match none
    # only rows in these languages
    languages: Annotated[Annotated[tuple[Language, ...], Field(min_length=1)] | None, Absent(None)]
    aligned: Annotated[bool, Absent(False)]  # keep only ids that have a row in both languages
    # rows are paired by similar length; keep the one with the higher (or lower) type-token ratio of each pair
    diversity: Annotated[Half | None, Absent(None)]


class Source(Constructor):
    """A data source: its files, and in `_target_` the function that turns a row into an example's fields."""

    name: FolderName | None  # its name in manifests and tables; null: the file's name
    path: FilePattern | None  # a file, or a pattern of several; null: the files of `hub`
    hub: Hub | None
    lang: Language | None  # language of rows that do not name one; null: the pool's language
    licence: Annotated[str | None, Absent(None)] = None  # for model cards; null: that of `hub`, if its files are read
    columns: dict[ExampleField, str] | None  # for `local` files: our field name → the file's column name
    filters: Filters  # which rows are used

    @property
    def is_given(self) -> bool:
        """Tell whether the source names any files."""
        return bool(self.path or self.hub)

    @property
    def shape(self) -> Constructor:
        """Return the node's function that turns a row into an example's fields, with its extra arguments, as a node."""
        return Constructor.model_validate({"_target_": self.target, **(self.model_extra or {})})

    @model_validator(mode="after")
    def _check_columns(self) -> Source:
        """Raise ValueError if `columns` are given to another function than `sources.local`."""
        if self.columns and self.target != LOCAL:
            raise ValueError(f"columns belong to {LOCAL}; {self.target} knows the columns of its shape")
        return self


def _keep_given(sources: dict[str, Source]) -> dict[str, Source]:
    """Return copies of the sources that name files; a source without a name gets its key as name."""
    named = {key: source.model_copy(update={"name": source.name or key}) for key, source in sources.items()}
    return {key: source for key, source in named.items() if source.is_given}


class Creative(Source):
    """The source of creative examples, and further sources that are drawn from together with it."""

    # training examples of all these sources; sets of one seed are nested by size; null: all
    size: Annotated[int, Field(gt=0)] | None
    also: Annotated[dict[FolderName, Source], AfterValidator(_keep_given), Absent({})]  # further sources

    @property
    def sources(self) -> dict[str, Source]:
        """Return all sources of creative examples, by their keys in the config."""
        return {"data.creative": self} | {f"data.creative.also.{name}": source for name, source in self.also.items()}


class Validation(Node):
    """Settings of validation: how many examples are held out of training, the same ones in every arm of a seed."""

    creative: int = Field(ge=0)  # taken from the end of the shuffled creative examples
    general: int = Field(ge=0)  # taken from the end of each language's shuffled pool
    source: Source | None  # a separate source of creative validation examples


class Data(Node):
    """The training mixture of an arm."""

    name: str  # in manifests and tables
    # general examples per language (10k), per creative one in all (1:12), or general data alone (general)
    ratio: RatioText
    # factor on the N of `ratio`, so that small creative sets keep the paper's proportions
    scale: float = Field(gt=0, allow_inf_nan=False)
    language_weights: dict[Language, Annotated[float, Field(gt=0, allow_inf_nan=False)]]  # 1 unless given
    creative: Creative  # the creative examples
    general: dict[Language, Source]  # a source of general examples for each language
    validation: Validation  # examples that no arm is trained on
    # files of test queries; general examples with one of their prompts are dropped
    queries: ExistingFiles
    max_quarantined: float = Field(ge=0, lt=1)  # share of a source's rows that may be damaged
    # rows with a prompt but no reasoning: leave them out as damaged, or learn an empty think block; null: leave them
    # out where the supervision needs reasoning, use them where it does not
    no_reasoning: Annotated[Literal["quarantine", "empty"] | None, Absent(None)]
    overlong: Literal["truncate", "drop", "error"]  # what to do with examples of more than model.max_length tokens
    cache: Annotated[str, Field(min_length=1)]  # folder of converted sources and encoded examples

    @property
    def pools(self) -> dict[Language, Source]:
        """Return the general sources that name files, by language."""
        return {lang: source for lang, source in self.general.items() if source.is_given}

    @property
    def sources(self) -> dict[str, Source]:
        """Return all sources that name files, by their keys in the config."""
        found = self.creative.sources | {f"data.general.{lang}": source for lang, source in self.pools.items()}
        if self.validation.source and self.validation.source.is_given:
            found["data.validation.source"] = self.validation.source
        return found

    @model_validator(mode="after")
    def _sources_serve_the_ratio(self) -> Data:
        """Raise ValueError for missing data, or a general source under another language than its own.

        Creative files are always needed; general ones, and at least one example of them, if the ratio asks for any.
        """
        ratio = Ratio.parse(self.ratio)
        if not self.creative.is_given:
            raise ValueError("no creative examples: give data.creative.path=<file> or source@data.creative=coig_writer")
        if ratio.count != 0 and not self.pools:
            raise ValueError(
                f"ratio {ratio.text}{' (the default)' if ratio.text == DEFAULT else ''} asks for general data: give "
                "data.general.<zh|en>.path=<file> or source@data.general.<zh|en>=<source>, or data.ratio=0 for the "
                "creative examples alone"
            )
        for lang, source in self.pools.items():
            if source.lang not in (None, lang):
                raise ValueError(
                    f"general.{lang}: its source is of language {source.lang}; put it under general.{source.lang}, or "
                    f"give data.general.{lang}.lang={lang} if that is what its texts are in"
                )
        if ratio.count and not any(self.general_counts(creative=0).values()):
            raise ValueError(f"ratio {ratio.text} with scale {self.scale:g} leaves no general example")
        return self

    def general_counts(self, creative: int) -> dict[Language, int]:
        """Return how many general examples to draw from each language's pool, given the number of creative ones.

        The ratio's total, with `scale`, is split by `language_weights`; each count is rounded, 0.5 upwards.
        """
        weights = {lang: self.language_weights.get(lang, 1.0) for lang in self.pools}
        total = Ratio.parse(self.ratio).general_examples(creative, len(weights), self.scale)
        return {lang: math.floor(total * w / sum(weights.values()) + 0.5) for lang, w in weights.items()}
