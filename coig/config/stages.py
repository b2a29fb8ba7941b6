"""`generate.py` and `evaluate.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from coig.config.fields import (
    HELD_OUT,
    SAMPLE_QUERIES,
    ArmNames,
    FilePatterns,
    FolderName,
    QueriesFile,
    QueriesNames,
    local_path,
)
from coig.config.nodes import Constructor, Node


class Limits(Node):
    """When an answer ends that does not end by itself, in tokens."""

    max_new_tokens: int = Field(gt=0)  # reasoning and answer together
    max_reasoning_tokens: Annotated[int, Field(gt=0)] | None  # null: no limit of its own
    max_answer_tokens: Annotated[int, Field(gt=0)] | None


Temperature = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # 0: greedy
TopP = Annotated[float, Field(gt=0, le=1)]
TopK = Annotated[int, Field(ge=0)]  # 0: no limit
RepetitionPenalty = Annotated[float, Field(gt=0, allow_inf_nan=False)]  # 1: none


class Sampling(Limits):
    """How an answer is drawn."""

    temperature: Temperature
    top_p: TopP
    top_k: TopK
    repetition_penalty: RepetitionPenalty


class SamplingChoice(Limits):
    """How an answer is to be drawn; null: as the model's own generation config says."""

    temperature: Temperature | None
    top_p: TopP | None
    top_k: TopK | None
    repetition_penalty: RepetitionPenalty | None


class GenerateConfig(Node):
    study: FolderName | None
    arms: ArmNames | None
    queries: QueriesFile
    samples: int = Field(gt=0)  # answers per query
    per_genre: Annotated[int, Field(gt=0)] | None  # queries of each genre and language, the first ones; null: all
    seed: int = Field(ge=0, lt=2**32)
    overwrite: bool
    sampling: SamplingChoice
    engine: Constructor

    @property
    def one_model(self) -> str | None:
        """The model of a server that would answer for every arm; None: each arm has a model of its own."""
        model = self.engine.arguments().get("model")
        return model if model and "{arm}" not in model else None

    @property
    def queries_file(self) -> Path | None:
        """None: each arm's own held-out prompts."""
        if self.queries == HELD_OUT:
            return None
        return local_path(SAMPLE_QUERIES if self.queries == "sample" else self.queries)

    @property
    def queries_name(self) -> str:
        """As in generations/<queries>.jsonl."""
        return Path(self.queries).stem


class Rating(Node):
    """How raters rate."""

    scale: tuple[float, float]  # lowest and highest rating

    @model_validator(mode="after")
    def _grows(self) -> Rating:
        if not self.scale[0] < self.scale[1]:
            raise ValueError("scale: give the lowest rating first, then the highest, such as scale=[1,10]")
        return self


class Claims(Node):
    """When a claim is supported, not supported or inconclusive."""

    # points: the advantage in win rate that matters, fixed before judgments are seen
    margin: float = Field(gt=0, lt=50)


class EvaluateConfig(Node):
    study: FolderName | None
    arms: ArmNames | None
    judgments: FilePatterns  # verdicts of people and judges
    answers: FilePatterns  # of the authors' shape, instead of ours
    labels: FilePatterns  # people's or models', of reasoning steps
    # as in generations/<queries>.jsonl: sample, held_out, or the stem of the queries' file; one or several
    queries: QueriesNames
    rating: Rating
    claims: Claims
    real_names: bool  # of raters; else by pseudonym
