"""`train.py`: an arm."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from coig.config.data import Data
from coig.config.fields import FolderName, ModelPath
from coig.config.nodes import Absent, Constructor, Logger, Node

OBJECTIVE = re.compile(r"(train|validation)/loss(/(creative|general)/(zh|en)/(prompt|reasoning|answer))?")
SPLIT = "coig.training.optimizers.SplitAdamW"


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

    @property
    def needs_reasoning(self) -> bool:
        """Tell whether rows without reasoning are of no use; where every token is learned, they are plain text."""
        return self.with_reasoning and self.weights.prompt == 0

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
    # of the exported weights, which are fp32 as they are trained; published: as the model came
    export_dtype: Annotated[Literal["published", "float32"], Absent("published")] = "published"
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

    def steps_per_epoch(self, examples: int) -> int:
        """The last one may hold fewer examples."""
        return math.ceil(examples / self.global_batch_size)

    def total_steps(self, examples: int) -> int:
        """Optimizer steps of a whole run."""
        steps = self.max_epochs * self.steps_per_epoch(examples)
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


class Budget(Node):
    """How long an arm is trained: its own epochs, or as many steps or supervised tokens as another arm."""

    name: Literal["epochs", "steps", "supervised_tokens"]
    like: dict[str, Any]  # the other arm: dotted keys of this config, and their values there


class Question(Node):
    """What a study is made to answer, by comparing arms that differ in one key alone."""

    ask: str
    compare: str  # the key, or the group
    # its value that the others are held against, as in config.yaml; of a group its name, of a list zh+en
    baseline: str


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
    budget: Annotated[Budget, Absent({"name": "epochs", "like": {}})]
    logger: Logger | None
    question: Annotated[Question | None, Absent(None)]
    objective: Annotated[str | None, Absent(None)]  # a loss of metrics.jsonl, whose last value is what training returns

    @field_validator("objective")
    @classmethod
    def _objective_is_a_loss(cls, name: str | None) -> str | None:
        if name is not None and not OBJECTIVE.fullmatch(name):
            raise ValueError(
                "is no loss of metrics.jsonl; give validation/loss, or that of a group such as "
                "validation/loss/creative/zh/answer"
            )
        return name

    @property
    def like(self) -> TrainConfig:
        """The config of the arm whose budget is this one's."""
        return TrainConfig.model_validate(self._plain_like())

    def _plain_like(self) -> dict[str, Any]:
        return self._changed(self.budget.like) | {"budget": {"name": "epochs", "like": {}}}

    def _changed(self, values: dict[str, Any]) -> dict[str, Any]:
        """This config as plain types, with other values at dotted keys. Raises ValueError for an unknown one."""
        plain = self.model_dump(by_alias=True)
        for key, value in values.items():
            *parents, last = key.split(".")
            node: Any = plain
            for name in parents:
                node = node.get(name) if isinstance(node, dict) else None
            if not isinstance(node, dict) or last not in node:
                raise ValueError(f"budget.like: {key} is no key of this config")
            node[last] = value
        return plain

    @model_validator(mode="after")
    def _budget_is_of_an_arm(self, info: ValidationInfo) -> TrainConfig:
        if self.budget.name == "epochs":
            return self
        try:
            TrainConfig.model_validate(self._plain_like(), context=info.context)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"budget.like: {where}={first['input']!r}: {first['msg']}") from None
        return self

    @model_validator(mode="after")
    def _split_weights_are_bf16(self) -> TrainConfig:
        if self.optimizer.target == SPLIT and self.model.export_dtype == "float32" and not self.model.lora:
            raise ValueError(
                "model.export_dtype=float32: optimizer=adamw_split trains weights that are bf16 to the model, so there "
                "is nothing more to export; leave it out, or take optimizer=adamw"
            )
        return self

    @model_validator(mode="after")
    def _split_weights_are_whole(self) -> TrainConfig:
        if self.optimizer.target == SPLIT and self.trainer.ranks > 1:
            raise ValueError(
                "optimizer=adamw_split keeps bf16 weights with fp32 gradients, which ddp and fsdp cannot exchange; "
                "with several devices take optimizer=adamw"
            )
        return self
