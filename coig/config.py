"""Loading a configuration: one error that lists every problem.

Hydra composes YAML from `conf/`; `load_config` turns the result into the models of `schema`. Nothing on this path
imports torch, so a typo is answered in about a second.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, get_args, overload

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.utils import get_method, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from coig.ratio import Ratio
from coig.schema import Constructor, Node, TrainConfig


class ConfigError(CompactHydraException):
    """Bad input with its remedy. Hydra prints it as it stands, without a traceback, and exits with 1."""


class DataError(ConfigError):
    """Data that cannot be used, with file, line and remedy."""


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
        named = [("vary", key) for key in plain.get("vary", ())]
        question = plain.get("question")
        if isinstance(question, dict) and isinstance(question.get("compare"), str):
            named.append(("question.compare", question["compare"]))
        unknown = [(at, key) for at, key in named if not _holds(plain, key.rpartition("@")[2].replace("/", "."))]
        problems = [f"{at}: {key} is no key of this config" for at, key in unknown]
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
        return instantiate(node.arguments(), _partial_=True, _convert_="all")(*args, **kwargs)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{node.target}: {error}; change or remove that argument") from error


def function_of(node: Constructor) -> partial[Any]:
    """A node's function with its arguments, to be called many times. Raises ConfigError if there is none."""
    arguments = node.model_extra or {}
    try:
        function = get_method(node.target)
        inspect.signature(function).bind_partial(**arguments)
        inspect.getsourcefile(function)  # what it makes is kept as long as its code is the same
    except Exception as error:
        raise ConfigError(
            f"_target_={node.target}: {first_line(error)}; name a Python function and arguments it takes"
        ) from error
    return partial(function, **arguments)


def first_line(error: Exception) -> str:
    """A library's message without its advice."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean 'x'?` for a near miss, else the known words."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(known)}"


def shown(value: Any) -> str:
    """A value as arms' names have it: the last part of a path, a list's items, a node by its name."""
    if isinstance(value, Mapping):
        return shown(value.get("name") or value.get("path") or value.get("_target_"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "+".join(map(shown, value))
    return "null" if value is None else str(value).rpartition("/")[2]


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
    """The known keys of the node at `parents`."""
    for name in parents:
        annotation = schema.model_fields[name].annotation
        candidates = [annotation, *get_args(annotation)]
        schema = next(c for c in candidates if isinstance(c, type) and issubclass(c, Node))
    return [field.alias or name for name, field in schema.model_fields.items()]


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
        named = f"{key.rpartition('.')[2]}_{shown(value)}"
        parts.append(re.sub(r"[^\w.+-]", "_", named))  # a plain word for folders and for Hydra
    return "-".join(parts)


OmegaConf.register_new_resolver("arm", _arm_name)
