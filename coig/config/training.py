"""The config schema of `train.py`, which trains one arm."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from coig.config.data import Data
from coig.config.fields import HERE, FolderName, ModelPath
from coig.config.nodes import Absent, Constructor, Logger, Node

OBJECTIVE = re.compile(r"(train|validation)/loss(/(creative|general)/(zh|en)/(prompt|reasoning|answer))?")
# the optimizers that train weights in bf16, with the rest of an fp32 weight in a remainder
SPLIT = ("coig.training.optimizers.SplitAdamW", "coig.training.eight_bit.SplitAdamW8bit")


def _number_or_auto(least: int) -> BeforeValidator:
    """Return a validator that refuses all but `auto` and whole numbers of at least `least`."""

    def check(value: Any) -> Any:
        """Return `auto`, or a whole number of at least `least`, unchanged; raise ValueError for anything else."""
        if value != "auto" and not (type(value) is int and value >= least):
            raise ValueError(f"give a whole number of at least {least}, or auto")
        return value

    return BeforeValidator(check)


class Weights(Node):
    """Loss weight of the tokens of each segment; 0 masks the segment."""

    prompt: float = Field(ge=0)  # 0: the prompt is context only
    reasoning: float = Field(ge=0)  # the think tags included
    answer: float = Field(ge=0)  # the end token included


class Supervision(Node):
    """The segments of the training target, and their loss weights."""

    name: FolderName  # in arms' names
    with_reasoning: bool  # whether the target includes the reasoning
    weights: Weights

    @property
    def needs_reasoning(self) -> bool:
        """Tell whether rows without reasoning are dropped: if the target has reasoning and prompts have no weight.

        If prompts are trained on, too, rows are plain text, which needs no reasoning.
        """
        return self.with_reasoning and self.weights.prompt == 0

    @model_validator(mode="after")
    def _check_weights(self) -> Supervision:
        """Raise ValueError if neither the answer nor a reasoning in the target has a weight; prompts do not count."""
        if self.weights.answer == 0 and not (self.with_reasoning and self.weights.reasoning):
            raise ValueError("no segment of the target has a weight: set weights.answer or weights.reasoning")
        return self


class Lora(Node):
    """Low-rank adapters (LoRA); without them all weights are trained."""

    rank: int = Field(gt=0)  # of the update of each weight matrix
    alpha: int = Field(gt=0)  # the update is scaled by alpha / rank
    dropout: float = Field(ge=0, lt=1)  # share of the adapters' inputs that training sets to 0
    targets: Annotated[str | tuple[str, ...], Field(min_length=1)]  # names of linear modules, or all-linear
    # bits in which the decoder's frozen linear weights are kept during training; null: as many as the model has
    base_bits: Annotated[Literal[4] | None, Absent(None)] = None


class Model(Node):
    """The model that is trained: its weights, adapters, lengths and prompt template."""

    name: str  # in manifests, tables and model cards
    path: ModelPath  # hub id or folder
    revision: str | None = None  # a commit or branch of the hub's repository; null: the newest
    weights: Literal["pretrained", "random"] = "pretrained"  # random: architecture and tokenizer of `path` only
    lora: Lora | None = None
    # dtype of the exported weights, which are trained in fp32; published: that of the published model
    export_dtype: Annotated[Literal["published", "float32"], Absent("published")] = "published"
    max_length: int = Field(gt=0)  # tokens of one example, prompt and completion
    learning_rate: float = Field(gt=0)  # the highest, at the end of the warmup
    system_prompt: str | None  # null: that of the chat template, if it has one
    template_arguments: dict[str, Any]  # further arguments of the chat template

    @property
    def is_quantized(self) -> bool:
        """Tell whether frozen weights are kept in fewer bits than they were published in."""
        return self.lora is not None and self.lora.base_bits is not None


class Scheduler(Node):
    """The learning-rate schedule."""

    name: Literal["linear", "cosine", "constant_with_warmup"]  # as transformers.get_scheduler names them
    warmup: float = Field(ge=0, lt=1)  # share of the optimizer steps


# fields of Trainer that are passed to lightning.Trainer unchanged
PASSED_FIELDS = ("max_epochs", "max_steps", "accelerator", "devices", "num_nodes", "precision")


class Trainer(Constructor):
    """Arguments of `lightning.Trainer`, and our own settings of an optimizer step."""

    max_epochs: int = Field(gt=0)  # how often an arm sees its own examples
    max_steps: int = Field(ge=-1)  # optimizer steps after which to stop early; -1: no limit
    accelerator: Literal["cpu", "gpu"]  # what the arm is trained on
    devices: int = Field(gt=0)  # of one node
    num_nodes: int = Field(default=1, gt=0)  # machines; several need torchrun
    # ddp: each device holds the whole model; fsdp: each holds a part of it
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    # weights stay in fp32: in pure bf16 most updates at a learning rate like 2e-5 round to zero
    precision: Literal["32-true", "bf16-mixed"]
    global_batch_size: int = Field(gt=0)  # examples of one optimizer step, on all devices together
    # tokens of one forward pass on one device; changes no results. auto: what fits the GPU (coig.training.memory)
    tokens_per_micro_batch: Annotated[int | Literal["auto"], _number_or_auto(1)]
    max_grad_norm: float = Field(gt=0)  # a larger norm of a step's gradient is scaled down to it
    checkpoint_every: int = Field(gt=0)  # optimizer steps; every epoch ends with a checkpoint, too
    # minutes after which a checkpoint is written even if those steps are not done
    checkpoint_minutes: Annotated[float, Field(gt=0), Absent(30.0)] = 30.0
    keep_checkpoint: Annotated[bool, Absent(True)] = True  # false: delete the last checkpoint when the arm is done
    # shares of the optimizer steps after which an export is kept, which answers queries as a point of the arm
    answer_at: Annotated[tuple[float, ...], Absent(())] = ()
    # number of decoder layers that recompute their activations; auto: as few as fit the GPU
    activation_checkpointing: Annotated[int | Literal["auto"], _number_or_auto(0)] = 0
    compile: bool = False  # compile each decoder layer
    threads: Annotated[Annotated[int, Field(gt=0)] | None, Absent(None)] = None  # of each rank; null: all cores, shared

    @field_validator("accelerator", mode="before")
    @classmethod
    def _check_accelerator(cls, name: Any) -> Any:
        """Raise ValueError for `mps`, the GPU of a Mac."""
        if name == "mps":
            raise ValueError("training on a Mac's GPU has never been tested; trainer=cpu trains the demo there")
        return name

    @field_validator("answer_at")
    @classmethod
    def _check_shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        """Raise ValueError unless the shares grow, from above 0 up to 1."""
        if list(shares) != sorted(set(shares)) or not all(0 < share <= 1 for share in shares):
            raise ValueError(
                "give growing shares of the training, each once, above 0 and up to 1, such as [0.25,0.5]; 1 is the "
                "arm itself"
            )
        return shares

    @property
    def ranks(self) -> int:
        """Return the number of processes: devices on all nodes together."""
        return self.devices * self.num_nodes

    def steps_per_epoch(self, examples: int) -> int:
        """Compute the optimizer steps of an epoch; the last step may have fewer examples."""
        return math.ceil(examples / self.global_batch_size)

    def total_steps(self, examples: int) -> int:
        """Compute the optimizer steps of a whole run with `examples` per epoch; `max_steps` limits them."""
        steps = self.max_epochs * self.steps_per_epoch(examples)
        return steps if self.max_steps == -1 else min(steps, self.max_steps)

    @model_validator(mode="after")
    def _check_unused_arguments(self) -> Trainer:
        """Raise ValueError for an argument of `lightning.Trainer` that we replace, and name our setting."""
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
    def _check_auto(self) -> Trainer:
        """Raise ValueError for a setting `auto` on a CPU, since only a GPU's memory can be planned."""
        given = {"tokens_per_micro_batch": 4096, "activation_checkpointing": 0}
        if self.accelerator == "cpu" and (key := next((key for key in given if getattr(self, key) == "auto"), None)):
            raise ValueError(f"{key}=auto plans a GPU's memory; on a CPU give a number, such as {given[key]}")
        return self

    @model_validator(mode="after")
    def _check_steps_and_devices(self) -> Trainer:
        """Raise ValueError for zero steps, or for several devices without a strategy."""
        if self.max_steps == 0:
            raise ValueError("max_steps is 0: nothing would be trained; give a number of steps, or -1 for no limit")
        if self.ranks > 1 and self.strategy == "auto":
            raise ValueError(f"{self.ranks} devices need a strategy: trainer.strategy=fsdp or ddp")
        return self

    def arguments(self) -> dict[str, Any]:
        """Return `_target_` and the arguments of `lightning.Trainer`, without our own settings."""
        ours = set(Trainer.model_fields) - set(Constructor.model_fields) - set(PASSED_FIELDS)
        return {key: value for key, value in super().arguments().items() if key not in ours}


class Budget(Node):
    """The length of training: an arm's own epochs, or the steps or supervised tokens of another arm."""

    name: Literal["epochs", "steps", "supervised_tokens"]  # what is copied from the other arm; epochs: nothing
    like: dict[str, Any]  # how the other arm differs: dotted keys of this config, and the other arm's values


class Question(Node):
    """The question of a study, answered by comparing arms that differ in one key only."""

    ask: str  # the question as the report prints it
    compare: str  # the key or group in which the arms differ
    # the value that the others are compared with, as in config.yaml; for a group its name, for a list zh+en
    baseline: str


class TrainConfig(Node):
    """The config of `train.py`: one arm of a study."""

    study: FolderName
    arm: FolderName
    vary: tuple[str, ...]  # keys whose values the arm's name shows; a sweep sets them
    seed: int = Field(ge=0, lt=2**32)  # of the draw of examples, their order, and new weights
    resume: bool
    overwrite: bool
    plan: Annotated[bool, Absent(False)]  # print how steps would be laid out on the usual GPUs, and train nothing
    data: Data
    supervision: Supervision
    model: Model
    optimizer: Constructor  # a file of conf/optimizer/ makes it
    scheduler: Scheduler
    trainer: Trainer
    budget: Annotated[Budget, Absent({"name": "epochs", "like": {}})]
    logger: Logger | None
    divergence: Annotated[bool, Absent(False)]  # measure the KL divergence from the base model when training ends
    # whether a sweep begins further arms after one has failed
    failures: Annotated[Literal["continue", "stop"], Absent("continue")] = "continue"
    # how often an arm is tried again, in a process of its own, after a signal or a lack of memory ended it
    retries: Annotated[int, Field(ge=0), Absent(0)] = 0
    question: Annotated[Question | None, Absent(None)]
    objective: Annotated[str | None, Absent(None)]  # a loss of metrics.jsonl; training returns its last value

    @field_validator("objective")
    @classmethod
    def _check_objective(cls, name: str | None) -> str | None:
        """Raise ValueError unless the objective is null or has the form of a logged loss's name."""
        if name is not None and not OBJECTIVE.fullmatch(name):
            raise ValueError(
                "is no loss of metrics.jsonl; give validation/loss, or that of a group such as "
                "validation/loss/creative/zh/answer"
            )
        return name

    @property
    def gpus(self) -> int:
        """Return the number of GPUs that the arm needs on each machine; 0 if it trains on CPUs."""
        return self.trainer.devices if self.trainer.accelerator == "gpu" else 0

    @property
    def like(self) -> TrainConfig:
        """Return the config of the arm whose budget this arm uses: this one with the changes of `budget.like`."""
        return TrainConfig.model_validate(self._dump_like())

    def _dump_like(self) -> dict[str, Any]:
        """Return, as plain types, the config of the arm whose budget this arm uses: this one plus `budget.like`.

        Raises ValueError that names budget.like for an unknown key.
        """
        plain = self.model_dump(by_alias=True)
        for key, value in self.budget.like.items():
            *parents, last = key.split(".")
            node: Any = plain
            for name in parents:
                node = node.get(name) if isinstance(node, dict) else None
            if not isinstance(node, dict) or last not in node:
                raise ValueError(f"budget.like: {key} is no key of this config")
            node[last] = value
        return plain | {"budget": {"name": "epochs", "like": {}}}  # its own budget copies no other

    @field_validator("arm")
    @classmethod
    def _check_arm(cls, name: str, info: ValidationInfo) -> str:
        """Raise ValueError for a new arm with an `@` in its name, as the points of arms have."""
        if info.context == HERE and "@" in name:
            raise ValueError("'@' is for the points of an arm (trainer.answer_at), such as cw@0.5; name it otherwise")
        return name

    @model_validator(mode="after")
    def _check_budget(self, info: ValidationInfo) -> TrainConfig:
        """Raise ValueError if budget.like does not give a valid config; the budget `epochs` does not use it."""
        if self.budget.name == "epochs":
            return self
        try:
            TrainConfig.model_validate(self._dump_like(), context=info.context)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"budget.like: {where}={first['input']!r}: {first['msg']}") from None
        return self

    @model_validator(mode="after")
    def _check_divergence(self) -> TrainConfig:
        """Raise ValueError if the divergence is to be measured without general texts to measure it on."""
        if self.divergence and not self.data.validation.general:
            raise ValueError(
                "divergence=true: is measured on general texts that are held out, and none are; give "
                "data.validation.general=100, say"
            )
        return self

    @model_validator(mode="after")
    def _check_split_export(self) -> TrainConfig:
        """Raise ValueError for a float32 export of weights that are trained in bf16; LoRA's are not."""
        if self.optimizer.target in SPLIT and self.model.export_dtype == "float32" and not self.model.lora:
            raise ValueError(
                "model.export_dtype=float32: optimizer=adamw_split and adamw_8bit train weights that are bf16 to the "
                "model, so there is nothing more to export; leave it out, or take optimizer=adamw"
            )
        return self

    @model_validator(mode="after")
    def _check_quantized(self) -> TrainConfig:
        """Raise ValueError for a base in 4 bits with a strategy for several devices."""
        if self.model.is_quantized and self.trainer.strategy != "auto":
            raise ValueError(
                "model/lora=rank16_4bit is for one device, as ddp and fsdp do not share quantized weights; with "
                "several take model/lora=rank16"
            )
        return self

    @model_validator(mode="after")
    def _check_split_devices(self) -> TrainConfig:
        """Raise ValueError for an optimizer that trains weights in bf16 (SPLIT) with ddp."""
        if self.optimizer.target in SPLIT and self.trainer.strategy == "ddp":
            raise ValueError(
                "optimizer=adamw_split and adamw_8bit replace or widen each bf16 gradient as it arrives, which ddp's "
                "exchange does not permit; take trainer.strategy=fsdp, or optimizer=adamw"
            )
        return self
