"""Typed configuration: what each node may hold, and one error that lists every problem.

Hydra composes YAML from `conf/`; `load_config` turns the result into frozen pydantic models. Nodes with a `_target_`
construct something (an optimizer, a data source) and are checked here but instantiated where they are used.
Nothing on this path imports torch, so a typo is answered in about a second.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, overload

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from coig.ratio import Ratio

SAMPLE = Path(__file__).parent / "sample"
SAMPLE_PREFIX = "sample:"


class ConfigError(CompactHydraException):
    """Bad input with its remedy. Hydra prints it as it stands, without a traceback, and exits with 1."""


def local_path(text: str) -> Path:
    """A path as configs write it: `sample:NAME` lies in the embedded sample, `~` is the home folder."""
    if text.startswith(SAMPLE_PREFIX):
        return SAMPLE / text.removeprefix(SAMPLE_PREFIX)
    return Path(text).expanduser()


def _existing(text: str) -> str:
    if not local_path(text).exists():
        raise ValueError(f"no such file or folder (looked in {local_path(text).absolute().parent})")
    return text


def _file(text: str) -> str:
    if local_path(_existing(text)).is_dir():
        raise ValueError("is a folder; name a file in it")
    return text


def _model_path(text: str) -> str:
    if not text:
        raise ValueError("is empty; give a hub id or a folder")
    looks_local = text.startswith((SAMPLE_PREFIX, "/", "./", "../", "~"))
    return _existing(text) if looks_local else text


def _ratio(text: str) -> str:
    return Ratio.parse(text).text


def _plain_name(text: str) -> str:
    if not text or text in {".", ".."} or "/" in text or "\\" in text or len(text) > 100:
        raise ValueError("is used as a folder's name: no slashes, not empty, at most 100 characters")
    return text


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _stem(value: Any) -> Any:
    return Path(value).stem if isinstance(value, str) and value.endswith(".jsonl") else value


def _known_target(text: str) -> str:
    package = text.partition(".")[0]
    if "." not in text or importlib.util.find_spec(package) is None:
        raise ValueError(f"package '{package}' is not installed, or this is no dotted path")
    return text


ExistingFile = Annotated[str, AfterValidator(_file)]
FolderName = Annotated[str, AfterValidator(_plain_name)]
ArmNames = Annotated[tuple[str, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
Language = Literal["zh", "en"]
LANGUAGES: tuple[str, ...] = get_args(Language)


class Node(BaseModel):
    """A node of ours: every key is known, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Constructor(Node):
    """A `_target_` node; the other keys are the constructor's arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    target: Annotated[str, AfterValidator(_known_target)] = Field(alias="_target_")

    def arguments(self) -> dict[str, Any]:
        """The node as `hydra.utils.instantiate` takes it."""
        return self.model_dump(by_alias=True)


class Source(Constructor):
    """A data source: `path` is a file of examples; null leaves the source out."""

    path: ExistingFile | None = None


class Validation(Node):
    """Held out of training, the same examples in every arm of a seed."""

    creative: int = Field(0, ge=0)  # examples taken from the end of the creative set's order
    general: int = Field(0, ge=0)  # likewise from each language's pool
    source: Source | None = None  # creative examples of their own


class Data(Node):
    name: str
    ratio: Annotated[str, AfterValidator(_ratio)]
    # multiplies N of `ratio`, so that small sets keep the paper's proportions
    scale: float = Field(1.0, gt=0, allow_inf_nan=False)
    creative: Source
    general: dict[Language, Source]
    validation: Validation
    overlong: Literal["truncate", "drop", "error"]  # examples of more than model.max_length tokens

    @property
    def pools(self) -> dict[str, Source]:
        """The general sources in use, by language."""
        return {lang: source for lang, source in self.general.items() if source.path is not None}

    @model_validator(mode="after")
    def _pools_are_large_enough(self) -> Data:
        ratio = Ratio.parse(self.ratio)
        if self.creative.path is None:
            raise ValueError("creative.path is not set: data.creative.path=<file>")
        if ratio.count == 0:
            return self
        if not self.pools:
            raise ValueError(f"ratio {ratio.text} asks for general data: set data.general.<zh|en>.path=<file>")
        if ratio.per_creative is not None:
            return self  # the mixture knows how many creative examples there are
        wanted = ratio.general_per_language(0, len(self.pools), self.scale)
        if wanted == 0:
            raise ValueError(f"ratio {ratio.text} with scale {self.scale:g} leaves no general example")
        for lang, source in self.pools.items():
            rows = _count_rows(source.path or "")
            if rows is not None and rows < wanted + self.validation.general:
                raise ValueError(pool_too_small(f"general.{lang}", wanted, self.validation.general, rows))
        return self


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


class Model(Node):
    name: str
    path: Annotated[str, AfterValidator(_model_path)]  # hub id or folder
    revision: str | None = None
    weights: Literal["pretrained", "random"] = "pretrained"  # random: architecture and tokenizer of `path` only
    attn_implementation: str = "sdpa"
    max_length: int = Field(gt=0)  # tokens of one example, prompt and completion
    learning_rate: float = Field(gt=0)
    system_prompt: str | None  # null: none, or the template's own


class Scheduler(Node):
    name: Literal["linear", "cosine", "constant_with_warmup"]  # as transformers.get_scheduler names them
    warmup: float = Field(ge=0, lt=1)  # share of the optimizer steps


class Trainer(Constructor):
    """`lightning.Trainer` with the settings of a step, which are ours."""

    max_epochs: int = Field(gt=0)
    # weights stay in fp32: in pure bf16 most updates of a learning rate like 2e-5 round away
    precision: Literal["32-true", "bf16-mixed"]
    devices: Literal[1] = 1  # the loss is normalised over one device's step
    global_batch_size: int = Field(gt=0)  # examples of one optimizer step
    tokens_per_micro_batch: int = Field(gt=0)  # padded tokens of one forward pass; memory, not results
    max_grad_norm: float = Field(gt=0)

    @model_validator(mode="after")
    def _steps_are_ours(self) -> Trainer:
        theirs = {"accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm"}
        if given := theirs & set(self.model_extra or {}):
            raise ValueError(
                f"{min(given)} is not used: a step is global_batch_size examples, clipped by max_grad_norm"
            )
        return self

    def arguments(self) -> dict[str, Any]:
        ours = {"global_batch_size", "tokens_per_micro_batch", "max_grad_norm"}
        return {key: value for key, value in super().arguments().items() if key not in ours}


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


class Sampling(Node):
    temperature: float = Field(ge=0)  # 0: greedy
    top_p: float = Field(gt=0, le=1)
    top_k: int = Field(ge=0)  # 0: no limit
    max_new_tokens: int = Field(gt=0)


class GenerateConfig(Node):
    study: FolderName | None
    arms: ArmNames | None
    queries: ExistingFile
    seed: int = Field(ge=0, lt=2**32)
    overwrite: bool
    sampling: Sampling
    engine: Constructor


class EvaluateConfig(Node):
    study: FolderName | None
    arms: ArmNames | None
    # the stem of the queries' file, as in generations/<queries>.jsonl
    queries: Annotated[FolderName, BeforeValidator(_stem)]


Schema = TypeVar("Schema", bound=Node)


@overload
def load_config(cfg: DictConfig) -> TrainConfig: ...
@overload
def load_config(cfg: DictConfig, schema: type[Schema]) -> Schema: ...
def load_config(cfg: DictConfig, schema: type[Node] = TrainConfig) -> Node:
    """Check a composed config. Raises one ConfigError that lists every problem with key, value and remedy."""
    problems = config_problems(cfg, schema)
    if problems:
        raise ConfigError(render_problems(problems))
    return schema.model_validate(_resolved(cfg))


def config_problems(cfg: DictConfig, schema: type[Node]) -> list[str]:
    """Every problem of a composed config, one line each; empty when it is sound."""
    try:
        plain = _resolved(cfg)
        unknown = [key for key in plain.get("vary", ()) if not _holds(plain, key)]
        problems = [f"vary: {key} is no key of this config" for key in unknown]
        schema.model_validate(plain)
    except OmegaConfBaseException as error:
        return [str(error).splitlines()[0]]
    except ValidationError as error:
        problems += [_describe(problem, schema) for problem in error.errors()]
    return problems


def render_problems(problems: list[str]) -> str:
    head = (
        "The configuration has a problem:" if len(problems) == 1 else f"The configuration has {len(problems)} problems:"
    )
    return "\n  - ".join([head, *problems])


def construct(node: Constructor, *args: Any, **kwargs: Any) -> Any:
    """Call a node's constructor with further arguments. Whatever it objects to is a ConfigError that names it."""
    try:
        return instantiate(node.arguments(), _partial_=True)(*args, **kwargs)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{node.target}: {error}; change or remove that argument") from error


def pool_too_small(pool: str, wanted: int, held_out: int, rows: int) -> str:
    """The message for a pool that cannot serve the mixture."""
    return (
        f"pool {pool} is too small: {wanted} to train on and {held_out} held out, but it has {rows}; "
        "lower data.ratio or data.scale, hold out fewer (data.validation), or give a larger file"
    )


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean 'x'?` for a near miss, else the known words."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(known)}"


def _resolved(cfg: DictConfig) -> Any:
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)


def _holds(node: Any, key: str) -> bool:
    """Whether nested dicts hold a dotted key, be its value null."""
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return True


def _describe(problem: Any, schema: type[Node]) -> str:
    """One line for a pydantic problem: key, value, remedy."""
    *parents, last = [str(part) for part in problem["loc"]] or [""]
    key, value = ".".join([*parents, last]), problem["input"]
    if value == "???":
        return f"{key}: not set; give {key}=<value>"
    match problem["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key" + suggestion(last, _fields_at(schema, parents))
        case "missing" if last == "_target_":
            return f"{key}: missing; name the constructor's dotted path"
        case "missing":
            return f"{key}: missing; give {key}=<value>"
        case "literal_error":
            return f"{key}={value!r}: choose from {problem['ctx']['expected']}"
        case "value_error" if isinstance(value, dict):
            return f"{key}: {problem['ctx']['error']}"
        case "value_error":
            return f"{key}={value!r}: {problem['ctx']['error']}"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{key}={value!r}: {message}"


def _fields_at(schema: type[Node], parents: list[str]) -> list[str]:
    """The known keys of the node at `parents`."""
    for name in parents:
        annotation = schema.model_fields[name].annotation
        candidates = [annotation, *get_args(annotation)]
        schema = next(c for c in candidates if isinstance(c, type) and issubclass(c, Node))
    return [field.alias or name for name, field in schema.model_fields.items()]


def _count_rows(path: str) -> int | None:
    """The lines of a JSONL file; None for other formats, which are counted when they are read."""
    with local_path(path).open("rb") as stream:
        lines = (line for line in stream if line.strip())
        first = next(lines, b"")
        return 1 + sum(1 for _ in lines) if first.lstrip().startswith(b"{") else None


def _arm_name(ratio: Any, supervision: str, seed: int, vary: Any, *, _root_: DictConfig) -> str:
    """The resolver `${arm:…}`: the ratio's name, then whatever differs from the paper's five arms or varies."""
    try:
        parts = [Ratio.parse(str(ratio)).arm]
    except ValueError:  # reported by load_config, under its own key
        parts = ["cw+" + str(ratio)]
    if supervision != "process":
        parts.append(supervision)
    if seed:
        parts.append(f"s{seed}")
    for key in vary:
        choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
        value = choices.get(key, OmegaConf.select(_root_, key))
        named = f"{key.rpartition('.')[2]}_{'null' if value is None else value}"
        parts.append(re.sub(r"[^\w.+-]", "_", named))  # a plain word for folders and for Hydra
    return "-".join(parts)


OmegaConf.register_new_resolver("arm", _arm_name)
