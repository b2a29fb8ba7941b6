"""What each node of a configuration may hold, as frozen pydantic models.

Nodes with a `_target_` construct something (an optimizer, the shape of a data source) and are checked here but
instantiated where they are used.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coig.fields import (
    SAMPLE_QUERIES,
    ArmNames,
    ExampleField,
    ExistingFiles,
    FilePattern,
    FolderName,
    Language,
    ModelPath,
    QueriesFile,
    QueriesName,
    RatioText,
    Target,
    Words,
    local_path,
)
from coig.ratio import Ratio

SPLIT = "coig.training.optimizers.SplitAdamW"
LOCAL = "coig.data.sources.local"


class Node(BaseModel):
    """A node of ours: every key is known, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Constructor(Node):
    """A `_target_` node; the other keys are the constructor's arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    target: Target = Field(alias="_target_")

    def arguments(self) -> dict[str, Any]:
        """The node as `hydra.utils.instantiate` takes it."""
        return self.model_dump(by_alias=True)


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


class Weights(Node):
    """Loss weight of each segment's tokens."""

    prompt: float = Field(ge=0)
    reasoning: float = Field(ge=0)
    answer: float = Field(ge=0)


class Supervision(Node):
    """What stands in the target and what bears loss."""

    name: FolderName
    with_reasoning: bool  # whether the target holds the reasoning at all
    weights: Weights

    @model_validator(mode="after")
    def _something_to_learn(self) -> Supervision:
        if self.weights.answer == 0 and not (self.with_reasoning and self.weights.reasoning):
            raise ValueError("no segment of the target has a weight: set weights.answer or weights.reasoning")
        return self


class Lora(Node):
    """Low-rank adapters; without them all weights are trained."""

    rank: int = Field(gt=0)
    alpha: int = Field(gt=0)  # the update is scaled by alpha / rank
    dropout: float = Field(ge=0, lt=1)
    targets: Annotated[str | tuple[str, ...], Field(min_length=1)]  # names of linear modules, or all-linear


class Model(Node):
    name: str
    path: ModelPath  # hub id or folder
    revision: str | None = None
    weights: Literal["pretrained", "random"] = "pretrained"  # random: architecture and tokenizer of `path` only
    lora: Lora | None = None
    max_length: int = Field(gt=0)  # tokens of one example, prompt and completion
    learning_rate: float = Field(gt=0)
    system_prompt: str | None  # null: none, or the template's own
    template_arguments: dict[str, Any]  # what the chat template is given besides


class Scheduler(Node):
    name: Literal["linear", "cosine", "constant_with_warmup"]  # as transformers.get_scheduler names them
    warmup: float = Field(ge=0, lt=1)  # share of the optimizer steps


class Trainer(Constructor):
    """`lightning.Trainer` with the settings of a step, which are ours."""

    max_epochs: int = Field(gt=0)
    max_steps: int = Field(ge=-1)  # optimizer steps after which to stop early; -1: no limit
    accelerator: Literal["cpu", "gpu"]
    devices: int = Field(gt=0)  # of one node
    num_nodes: int = Field(default=1, gt=0)
    # how several devices share the work: ddp, each holds the whole model; fsdp, each a part of it
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    # weights stay in fp32: in pure bf16 most updates of a learning rate like 2e-5 round away
    precision: Literal["32-true", "bf16-mixed"]
    global_batch_size: int = Field(gt=0)  # examples of one optimizer step, on all devices together
    tokens_per_micro_batch: int = Field(gt=0)  # of one forward pass on one device; memory, not results
    max_grad_norm: float = Field(gt=0)
    checkpoint_every: int = Field(gt=0)  # optimizer steps; besides, every epoch ends with one
    activation_checkpointing: int = Field(default=0, ge=0)  # decoder layers that compute their activations twice
    compile: bool = False  # each decoder layer

    @property
    def ranks(self) -> int:
        return self.devices * self.num_nodes

    def total_steps(self, examples: int) -> int:
        """Optimizer steps of a whole run; an epoch's last one may hold fewer examples."""
        steps = self.max_epochs * math.ceil(examples / self.global_batch_size)
        return steps if self.max_steps == -1 else min(steps, self.max_steps)

    @model_validator(mode="after")
    def _steps_are_ours(self) -> Trainer:
        instead = {
            "accumulate_grad_batches": "a step is global_batch_size examples",
            "limit_train_batches": "max_steps ends a run early",
            "overfit_batches": "max_steps ends a run early",
            "max_time": "max_steps ends a run early",
            "fast_dev_run": "max_steps ends a run early",
            "limit_val_batches": "data.validation says how many examples",
            "callbacks": "the callbacks are ours",
            "plugins": "checkpoints and devices are ours",
            "gradient_clip_val": "max_grad_norm clips",
            "gradient_clip_algorithm": "max_grad_norm clips",
        }
        if given := sorted(instead.keys() & set(self.model_extra or {})):
            raise ValueError(f"{given[0]} is not used: {instead[given[0]]}")
        return self

    @model_validator(mode="after")
    def _something_runs_somewhere(self) -> Trainer:
        if self.max_steps == 0:
            raise ValueError("max_steps is 0: nothing would be trained; give a number of steps, or -1 for no limit")
        if self.ranks > 1 and self.strategy == "auto":
            raise ValueError(f"{self.ranks} devices need a strategy: trainer.strategy=fsdp or ddp")
        return self

    def arguments(self) -> dict[str, Any]:
        ours = set(Trainer.model_fields) - set(Constructor.model_fields) - set(LIGHTNINGS)
        return {key: value for key, value in super().arguments().items() if key not in ours}


# of the trainer's fields, those that lightning.Trainer takes as they are
LIGHTNINGS = ("max_epochs", "max_steps", "accelerator", "devices", "num_nodes", "precision")


class TrainConfig(Node):
    study: FolderName
    arm: FolderName
    vary: tuple[str, ...]  # keys whose values stand in the arm's name; a sweep fills them in
    seed: int = Field(ge=0, lt=2**32)
    resume: bool
    overwrite: bool
    data: Data
    supervision: Supervision
    model: Model
    optimizer: Constructor
    scheduler: Scheduler
    trainer: Trainer
    logger: Constructor | None

    @model_validator(mode="after")
    def _split_weights_are_whole(self) -> TrainConfig:
        if self.optimizer.target == SPLIT and self.trainer.ranks > 1:
            raise ValueError(
                "optimizer=adamw_split keeps bf16 weights with fp32 gradients, which ddp and fsdp cannot exchange; "
                "with several devices take optimizer=adamw"
            )
        return self


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
    def queries_file(self) -> Path:
        return local_path(SAMPLE_QUERIES if self.queries == "sample" else self.queries)

    @property
    def queries_name(self) -> str:
        """As in generations/<queries>.jsonl."""
        return "sample" if self.queries == "sample" else self.queries_file.stem


class EvaluateConfig(Node):
    study: FolderName | None
    arms: ArmNames | None
    judgments: ExistingFiles  # verdicts of people and judges
    answers: ExistingFiles  # of the authors' shape, instead of ours
    labels: ExistingFiles  # people's or models', of reasoning steps
    # as in generations/<queries>.jsonl: sample, or the stem of the queries' file
    queries: QueriesName
