"""The config schemas of `generate.py` and `evaluate.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from coig.config.fields import (
    HELD_OUT,
    SHIPPED_QUERIES,
    ArmNames,
    FilePatterns,
    FolderName,
    QueriesFile,
    QueriesNames,
    StudyName,
    TrustedNames,
    local_path,
)
from coig.config.nodes import Constructor, Node


class Limits(Node):
    """Maximum lengths of an answer and its reasoning, in tokens."""

    max_new_tokens: int = Field(gt=0)  # reasoning and answer together
    max_reasoning_tokens: Annotated[int, Field(gt=0)] | None  # null: no separate limit
    max_answer_tokens: Annotated[int, Field(gt=0)] | None  # null: no separate limit


Temperature = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # 0: greedy
TopP = Annotated[float, Field(gt=0, le=1)]
TopK = Annotated[int, Field(ge=0)]  # 0: no limit
RepetitionPenalty = Annotated[float, Field(gt=0, allow_inf_nan=False)]  # 1: none


class Sampling(Limits):
    """Sampling parameters of an answer."""

    temperature: Temperature
    top_p: TopP
    top_k: TopK
    repetition_penalty: RepetitionPenalty


class SamplingChoice(Limits):
    """Sampling parameters as configured; null takes the value of the model's own generation config."""

    temperature: Temperature | None  # 0: always the likeliest token
    top_p: TopP | None  # draw from the likeliest tokens that together have this probability; 1: from all
    top_k: TopK | None  # draw from so many of the likeliest tokens; 0: from all
    repetition_penalty: RepetitionPenalty | None  # above 1: tokens that were used become less likely; 1: none


class GenerateConfig(Node):
    """The config of `generate.py`: which arms answer which queries, and how."""

    study: FolderName | None
    arms: ArmNames | None
    queries: QueriesFile
    samples: int = Field(gt=0)  # answers per query
    per_genre: Annotated[int, Field(gt=0)] | None  # only the first queries of each genre and language; null: all
    seed: int = Field(ge=0, lt=2**32)  # of the sampling
    overwrite: bool
    sampling: SamplingChoice
    engine: Constructor  # what generates
    trusted: TrustedNames = ()  # `_target_`s of the arms' stored configs that may run, data sets that may be downloaded

    @property
    def one_model(self) -> str | None:
        """Return `engine.model`, the model that answers for every arm; None if it is not set or contains `{arm}`."""
        model = self.engine.arguments().get("model")
        return model if model and "{arm}" not in model else None

    @property
    def gpus(self) -> int:
        """Return how many GPUs one model takes: `tensor_parallel_size`, else 1; 0 for an engine with a `base_url`."""
        arguments = self.engine.arguments()
        if "base_url" in arguments:
            return 0
        size = arguments.get("tensor_parallel_size")
        return size if isinstance(size, int) and size > 0 else 1  # the engine itself refuses another

    @property
    def queries_file(self) -> Path | None:
        """Return the path of the file of queries, a shipped or a given one; None if arms answer held-out prompts."""
        if self.queries == HELD_OUT:
            return None
        return local_path(SHIPPED_QUERIES.get(self.queries, self.queries))

    @property
    def queries_name(self) -> str:
        """Return the queries' name, as in generations/<name>.jsonl: sample, domain, held_out or the file's stem."""
        return Path(self.queries).stem


class Rating(Node):
    """The scale of the raters' ratings."""

    scale: tuple[float, float]  # lowest and highest rating

    @model_validator(mode="after")
    def _check_order(self) -> Rating:
        """Raise ValueError unless the lowest rating is below the highest."""
        if not self.scale[0] < self.scale[1]:
            raise ValueError("scale: give the lowest rating first, then the highest, such as scale=[1,10]")
        return self


class Claims(Node):
    """The margin that decides whether a claim is not supported or inconclusive."""

    # the smallest advantage in win rate that matters, in percentage points; fix it before you see judgments
    margin: float = Field(gt=0, lt=50)


class EvaluateConfig(Node):
    """The config of `evaluate.py`: which arms, answers, judgments and labels are evaluated, and how."""

    study: StudyName | None
    arms: ArmNames | None
    judgments: FilePatterns  # files of judgments by people and model judges; none: those in the study's folder
    yardstick: FilePatterns = ()  # files of judges' verdicts on pairs whose better answer is known
    database: str | None  # its URL, if it is no file in the study's folder
    answers: FilePatterns  # files of answers in the paper authors' format, instead of our generations
    scores: FilePatterns = ()  # result files of lm-evaluation-harness and lighteval
    labels: FilePatterns  # files of labels of reasoning steps, by people or models
    # names as in generations/<queries>.jsonl: sample, held_out, or the stem of a file of queries
    queries: QueriesNames
    rating: Rating
    claims: Claims
    trusted: TrustedNames = ()  # `_target_`s of the arms' stored configs that may run, data sets that may be downloaded
    real_names: bool  # true: show raters' names; false: pseudonyms
