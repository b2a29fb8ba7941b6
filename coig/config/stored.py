"""Write and read an arm's `config.yaml`: its resolved config, which every later version of coig can read.

The file holds `format: N`. The schema of a key that was added later says what its absence means (`Absent`), and reading
fills it in. So an arm trained earlier is neither refused nor trained again. Whoever renames or removes a key must
increase `FORMAT` and convert old files in `read_config`. Files of format 1 lack the number.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, get_origin

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from coig.config import Node, TrainConfig
from coig.config.loading import describe_problem, escape
from coig.config.nodes import Absent, node_in
from coig.errors import ConfigError, first_line
from coig.files.atomic import write_atomic
from coig.files.limits import check_yaml, read_whole
from coig.files.secrets import fold_home, map_texts

FORMAT = 2
INTERPOLATION = re.compile(r"(?<!\\)\$\{")
REMEDY = "bring the file back, or train this arm anew with overwrite=true"


def write_config(file: Path, config: TrainConfig) -> None:
    """Write an arm's config with its format's number, atomically: a crash leaves no partial file."""
    write_atomic(file, render_config(config))


def render_config(config: TrainConfig) -> str:
    """Return the content of an arm's `config.yaml`.

    Paths in the home folder begin with `~`. A text that looks like an interpolation is escaped, since it is none.
    """
    stored = map_texts(escape, fold_home(dump_config(config)))
    return OmegaConf.to_yaml(OmegaConf.create({"format": FORMAT, **stored}))


def read_config(file: Path) -> TrainConfig:
    """Read an arm's config and fill in the keys that were added after it was written.

    Nothing in it is run or looked up: an interpolation such as `${oc.env:NAME}` is refused. The files that it names
    need not exist on this machine. Raises ConfigError if the config is missing, damaged or written by a later version.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: missing or damaged (no such file); {REMEDY}")
    status = file.stat()
    return _parse(file.absolute(), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)  # parsing YAML is slow, and an evaluation reads each arm's config many times
def _parse(file: Path, modified: int, size: int) -> TrainConfig:
    """Do the work of `read_config`; `modified` and `size` only make the cache notice that the file has changed."""
    try:
        text = read_whole(file)
        _refuse_interpolations(check_yaml(text))
        stored: Any = OmegaConf.to_container(OmegaConf.create(text))
        if not isinstance(stored, dict):
            raise ValueError("holds no keys")
        written = stored.pop("format", 1)
        if written not in range(1, FORMAT + 1):
            raise ConfigError(
                f"{file}: is of format {written}, and this version of coig reads up to {FORMAT}; update coig"
            )
        plain = map_texts(_unescape, fold_home(stored))
        return TrainConfig.model_validate(fill_absent(TrainConfig, plain))
    except ValidationError as error:
        problem = describe_problem(error.errors()[0], TrainConfig)
        raise ConfigError(f"{file}: is no config of an arm ({problem}); {REMEDY}") from None
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{file}: missing or damaged ({first_line(error)}); {REMEDY}") from None


def _refuse_interpolations(values: list[str]) -> None:
    """Raise ValueError if a value of a stored config holds an interpolation, `${` without a backslash before it."""
    if found := next((value for value in values if INTERPOLATION.search(value)), None):
        raise ValueError(f"{found[:60]!r} is an interpolation, and a stored config holds plain values only")


def _unescape(text: str) -> str:
    """Return the text that `escape` has escaped."""
    return text.replace("\\${", "${")


def dump_config(config: TrainConfig) -> dict[str, Any]:
    """Return a config as plain JSON types, with its keys as in YAML."""
    return config.model_dump(mode="json", by_alias=True)


def fill_absent(schema: type[Node], stored: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a stored node in which each missing key that `schema` marks `Absent`, at any depth, is set."""
    filled = dict(stored)
    for name, field in schema.model_fields.items():
        key = field.alias or name
        if key not in filled:
            filled.update((key, deepcopy(mark.value)) for mark in field.metadata if isinstance(mark, Absent))
        elif (node := node_in(field.annotation)) and isinstance(filled[key], dict):
            several = get_origin(field.annotation) is dict
            filled[key] = _fill_each(node, filled[key]) if several else fill_absent(node, filled[key])
    return filled


def _fill_each(schema: type[Node], stored: dict[str, Any]) -> dict[str, Any]:
    """Apply `fill_absent` to each node of a dict of nodes, such as the sources of `data.general` by language."""
    return {key: fill_absent(schema, node) if isinstance(node, dict) else node for key, node in stored.items()}
