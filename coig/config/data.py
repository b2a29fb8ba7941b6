"""`data`: sources, filters, and how many examples of which."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from coig.config.fields import ExampleField, ExistingFiles, FilePattern, FolderName, Half, Language, RatioText, Words
from coig.config.nodes import Absent, Constructor, Node
from coig.config.ratio import Ratio

LOCAL = "coig.data.sources.local"


class Hub(Node):
    """Files of a data set on the Hugging Face hub."""

    repo: str
    files: Annotated[Words, Field(min_length=1)]
    revision: str  # a commit; a branch moves, the manifest then says which commit it was


class Filters(Node):
    """Which rows of a source are used; null asks for nothing."""

    min_score: Annotated[float, Field(allow_inf_nan=False)] | None  # of a judge, on the source's own scale
    min_language_share: Annotated[float, Field(ge=0, le=1)] | None  # script of the row's own language, in the whole row
    min_characters: Annotated[int, Field(ge=0)] | None  # of prompt, reasoning and answer together
    max_characters: Annotated[int, Field(gt=0)] | None
    topics: Words | None  # patterns of the genre: exam/*
    not_topics: Words | None
    languages: Annotated[Annotated[tuple[Language, ...], Field(min_length=1)] | None, Absent(None)]  # of the rows
    aligned: Annotated[bool, Absent(False)]  # only what stands in both languages, as rows of one id
    # of every two texts of like length the one of the higher, or lower, type-token ratio
    diversity: Annotated[Half | None, Absent(None)]


class Source(Constructor):
    """A data source: where its rows are, and by `_target_` the function that makes an example's fields of one."""

    name: FolderName | None  # how manifests and tables call it; null: the file's name
    path: FilePattern | None  # a file, or a pattern of several; without one the hub's files are used
    hub: Hub | None
    lang: Language | None  # of rows that do not name their own; null: the pool's
    columns: dict[ExampleField, str] | None  # for shapes of your own: our name → the file's
    filters: Filters

    @property
    def is_given(self) -> bool:
        return bool(self.path or self.hub)

    @property
    def shape(self) -> Constructor:
        """The function from a row to an example's fields, with the arguments that the node adds."""
        return Constructor.model_validate({"_target_": self.target, **(self.model_extra or {})})

    @model_validator(mode="after")
    def _columns_name_a_shape(self) -> Source:
        if self.columns and self.target != LOCAL:
            raise ValueError(f"columns belong to {LOCAL}; {self.target} knows the columns of its shape")
        return self


class Creative(Source):
    size: Annotated[int, Field(gt=0)] | None  # how many are trained on, nested under one seed; null: all


class Validation(Node):
    """Held out of training, the same examples in every arm of a seed."""

    creative: int = Field(ge=0)  # examples taken from the end of the creative set's order
    general: int = Field(ge=0)  # likewise from each language's pool
    source: Source | None  # creative examples of their own


class Data(Node):
    name: str
    ratio: RatioText
    # multiplies N of `ratio`, so that small sets keep the paper's proportions
    scale: float = Field(gt=0, allow_inf_nan=False)
    language_weights: dict[Language, Annotated[float, Field(gt=0, allow_inf_nan=False)]]  # 1 unless given
    creative: Creative
    general: dict[Language, Source]
    validation: Validation
    # test queries: general examples with one of these prompts are left out
    queries: ExistingFiles
    max_quarantined: float = Field(ge=0, lt=1)  # share of a source's rows that may be damaged
    # rows with a prompt but no reasoning: leave them out as damaged, or learn an empty think block; null: leave them
    # out where the supervision needs reasoning, use them where it does not
    no_reasoning: Annotated[Literal["quarantine", "empty"] | None, Absent(None)]
    overlong: Literal["truncate", "drop", "error"]  # examples of more than model.max_length tokens
    cache: Annotated[str, Field(min_length=1)]  # folder of converted sources and encoded examples

    @property
    def pools(self) -> dict[Language, Source]:
        """The general sources in use, by language."""
        return {lang: source for lang, source in self.general.items() if source.is_given}

    @model_validator(mode="after")
    def _sources_serve_the_ratio(self) -> Data:
        ratio = Ratio.parse(self.ratio)
        if not self.creative.is_given:
            raise ValueError("no creative examples: give data.creative.path=<file> or source@data.creative=coig_writer")
        if ratio.count != 0 and not self.pools:
            raise ValueError(
                f"ratio {ratio.text} asks for general data: give data.general.<zh|en>.path=<file> or "
                "source@data.general.<zh|en>=<source>"
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
        """General examples to draw from each pool, beside `creative` creative ones."""
        weights = {lang: self.language_weights.get(lang, 1.0) for lang in self.pools}
        total = Ratio.parse(self.ratio).general_examples(creative, len(weights), self.scale)
        return {lang: math.floor(total * w / sum(weights.values()) + 0.5) for lang, w in weights.items()}
