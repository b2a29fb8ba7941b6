"""An arm's `config.yaml`: the resolved config, written once and read by every later version.

The file carries `format: N`. A key that a later version adds says in the schema what its absence means (`Absent`), and
is filled in on reading, so that an arm trained before is neither refused nor trained again. A key that is renamed or
removed raises `FORMAT` and needs a step in `read_config`. Files of format 1 lack the number.
"""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, get_origin

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from coig.config import Node, TrainConfig
from coig.config.loading import describe_problem
from coig.config.nodes import Absent, node_in
from coig.errors import ConfigError, first_line
from coig.files.atomic import write_atomic

FORMAT = 2
REMEDY = "bring the file back, or train this arm anew with overwrite=true"


def write_config(file: Path, config: TrainConfig) -> None:
    """Write an arm's config, whole or not at all."""
    write_atomic(file, OmegaConf.to_yaml(OmegaConf.create({"format": FORMAT, **dump_config(config)})))


def read_config(file: Path) -> TrainConfig:
    """Read an arm's config, with the meaning of keys that were added after it was written.

    Only its shape is checked: the files that it names need not be on this machine. Raises ConfigError if the file is
    missing or damaged, or a later version wrote it.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: missing or damaged (no such file); {REMEDY}")
    status = file.stat()
    return _parse(file.absolute(), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)  # YAML takes its time, and an evaluation asks a study's arms again and again
def _parse(file: Path, modified: int, size: int) -> TrainConfig:
    try:
        stored: Any = OmegaConf.to_container(OmegaConf.load(file))
        if not isinstance(stored, dict):
            raise ValueError("holds no keys")
        written = stored.pop("format", 1)
        if written not in range(1, FORMAT + 1):
            raise ConfigError(
                f"{file}: is of format {written}, and this version of coig reads up to {FORMAT}; update coig"
            )
        return TrainConfig.model_validate(fill_absent(TrainConfig, stored))
    except ValidationError as error:
        problem = describe_problem(error.errors()[0], TrainConfig)
        raise ConfigError(f"{file}: is no config of an arm ({problem}); {REMEDY}") from None
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{file}: missing or damaged ({first_line(error)}); {REMEDY}") from None


def dump_config(config: TrainConfig) -> dict[str, Any]:
    """Return a config as plain JSON types, keys as in YAML."""
    return config.model_dump(mode="json", by_alias=True)


def fill_absent(schema: type[Node], stored: dict[str, Any]) -> dict[str, Any]:
    """Return a node's stored keys and, at any depth, the meaning of those that it lacks and `schema` marks `Absent`."""
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
    """Fill in a dict of nodes, such as the sources of `data.general` by language."""
    return {key: fill_absent(schema, node) if isinstance(node, dict) else node for key, node in stored.items()}
