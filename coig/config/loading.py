"""Load a configuration; one error lists every problem.

Hydra composes the YAML of `conf/`; `load_config` checks it against a schema. Nothing here imports torch, so a typo is
reported in about a second.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, TypeVar, overload

from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from coig.config import Constructor, Node, TrainConfig
from coig.config.fields import HERE
from coig.config.help import list_groups, typed_command
from coig.config.names import arm_name
from coig.config.nodes import HOLDS_SECRET, node_in
from coig.config.slurm import gpus_of_job, per_device
from coig.errors import ConfigError, first_line, suggestion
from coig.files.secrets import find_secrets

Schema = TypeVar("Schema", bound=Node)


@overload
def load_config(cfg: DictConfig) -> TrainConfig: ...
@overload
def load_config(cfg: DictConfig, schema: type[Schema]) -> Schema: ...
def load_config(cfg: DictConfig, schema: type[Node] = TrainConfig) -> Node:
    """Check a composed config and return it as `schema`.

    Raises one ConfigError that lists every problem with key, value and remedy.
    """
    found = check_config(cfg, schema)
    if isinstance(found, list):
        raise ConfigError(render_problems(found))
    return found


def check_config(cfg: DictConfig, schema: type[Schema]) -> Schema | list[str]:
    """Return a composed config as `schema`; if it has problems, return these instead, one line each.

    The keys that `vary` and `question.compare` name must exist, too, and a TrainConfig may hold no secret. If an
    interpolation cannot be resolved, that is the only problem that is returned.
    """
    try:
        plain = _resolve(cfg)
    except OmegaConfBaseException as error:
        return [str(error).splitlines()[0]]
    problems = _find_unknown_names(plain)
    try:
        config = schema.model_validate(plain, context=HERE)
    except ValidationError as error:
        return [*problems, *(describe_problem(problem, schema) for problem in error.errors())]
    if schema is TrainConfig:  # the others are not stored
        problems += [f"{key} {HOLDS_SECRET}" for key in find_secrets(plain)]
    return problems or config


def _find_unknown_names(plain: Any) -> list[str]:
    """Return a problem for each key that `vary` or `question.compare` names and the config does not have."""
    named = [("vary", key) for key in plain.get("vary", ())]
    question = plain.get("question")
    if isinstance(question, dict) and isinstance(question.get("compare"), str):
        named.append(("question.compare", question["compare"]))
    unknown = [(at, key) for at, key in named if not _holds(plain, key.rpartition("@")[2].replace("/", "."))]
    return [f"{at}: {key} is no key of this config" for at, key in unknown]


def render_problems(problems: list[str]) -> str:
    """Return one message with a heading and a bullet for each problem."""
    head = (
        "The configuration has a problem:" if len(problems) == 1 else f"The configuration has {len(problems)} problems:"
    )
    return "\n  - ".join([head, *problems])


def construct(node: Constructor, *args: Any, **kwargs: Any) -> Any:
    """Call a node's constructor with `args`, the node's arguments and `kwargs`, which win; return the result.

    Nested nodes are constructed, too. Raises ConfigError, naming the `_target_`, if it cannot be imported or the call
    fails.
    """
    try:
        arguments = node.arguments()
        function = get_method(arguments.pop("_target_"))
        return function(*args, **_build(arguments) | kwargs)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{node.target}: {error}; change or remove that argument") from error


def _build(value: Any) -> Any:
    """Return nested dicts and lists with each dict that has a `_target_` replaced by what its target constructs.

    Unlike `hydra.utils.instantiate`, it looks up nothing: a text that looks like an interpolation stays as it is.
    """
    if isinstance(value, list | tuple):
        return [_build(item) for item in value]
    if not isinstance(value, dict):
        return value
    built = {key: _build(child) for key, child in value.items()}
    return get_method(built.pop("_target_"))(**built) if "_target_" in built else built


def escape(text: str) -> str:
    """Return a text that OmegaConf reads as this text: with a backslash before `${`, which begins an interpolation."""
    return text.replace("${", "\\${")


def function_of(node: Constructor) -> partial[Any]:
    """Return the function or class that a node names, with the node's arguments bound, without calling it.

    Raises ConfigError if it has no Python source or does not take these arguments; missing ones are not noticed.
    """
    arguments = node.model_extra or {}
    try:
        function = get_method(node.target)
        inspect.signature(function).bind_partial(**arguments)
        inspect.getsourcefile(function)  # the cache key of its results is made from its source code
    except Exception as error:
        raise ConfigError(
            f"_target_={node.target}: {first_line(error)}; name a Python function and arguments it takes"
        ) from error
    return partial(function, **arguments)


def _resolve(cfg: DictConfig) -> Any:
    """Return a config as plain dicts and lists, with interpolations resolved; a value that is not set stays `???`."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)


def _holds(node: Any, key: str) -> bool:
    """Tell whether nested dicts have a dotted key; its value may be null."""
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return True


def describe_problem(problem: Any, schema: type[Node]) -> str:
    """Return one line with key, value and remedy for an item of pydantic's `ValidationError.errors()`."""
    *parents, last = [str(part) for part in problem["loc"] if part != "[key]"] or [""]
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
        case "value_error" if not key:
            return str(problem["ctx"]["error"])
        case "value_error" if isinstance(value, dict):
            return f"{key}: {problem['ctx']['error']}"
        case "value_error":
            return f"{key}={value!r}: {problem['ctx']['error']}"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{key}={value!r}: {message}"


def _fields_at(schema: type[Node], parents: list[str]) -> list[str]:
    """Return the keys that the schema knows in the node at the path `parents`."""
    for name in parents:
        if name in schema.model_fields:  # not the key of a dict of nodes, such as zh in data.general.zh
            schema = node_in(schema.model_fields[name].annotation) or schema
    return [field.alias or name for name, field in schema.model_fields.items()]


OmegaConf.register_new_resolver("arm", arm_name)
OmegaConf.register_new_resolver("gpus_of_job", gpus_of_job)
OmegaConf.register_new_resolver("list_groups", list_groups)
OmegaConf.register_new_resolver("per_device", per_device)
OmegaConf.register_new_resolver("typed_command", typed_command)
