"""Decide what of a stored config may run: a study can come from anyone, so its `config.yaml` is only data.

Reading a stored config runs nothing. A command that constructs what it names, such as the function that reads the rows
of its data, calls `check_trusted` first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from coig.config.nodes import Constructor
from coig.errors import ConfigError

SHAPE = re.compile(r"coig\.data\.sources\.[a-z]\w*")  # our functions that read rows
LOGGER = "lightning.pytorch.loggers.WandbLogger"
# others would send what is logged, or the user's key, to a place that the study chooses
LOGGER_ARGUMENTS = ("project", "group", "name", "job_type", "tags", "notes", "save_dir", "log_model")
PLAIN = (str, int, float, bool, type(None))


def check_trusted(file: Path, nodes: Mapping[str, Constructor], trusted: Sequence[str]) -> None:
    """Raise ConfigError that lists what nodes of a stored config would run or do that coig does not trust by itself.

    Args:
        file: the stored config.
        nodes: key in the config → node that is about to be constructed.
        trusted: `_target_`s that the user of this command allows, with any arguments.
    """
    problems = [
        f"{key}.{problem}; trusted=[{node.target}] allows it"
        for key, node in nodes.items()
        if node.target not in trusted
        for problem in _find_problems(node)
    ]
    if problems:
        head = f"{file}: a study may come from anyone, and this one asks for more than coig trusts by itself:"
        raise ConfigError("\n  - ".join([head, *problems]))


def _find_problems(node: Constructor) -> Iterator[str]:
    """Yield `argument: reason` for whatever of a stored node is not trusted.

    That is a target other than W&B's logger and the functions of coig.data.sources, an argument of the logger outside
    LOGGER_ARGUMENTS, and for any target an argument that is neither a plain value nor a list of plain values.
    """
    arguments = node.model_extra or {}
    if node.target == LOGGER:
        yield from (
            f"{name}: would decide where the results are sent" for name in arguments if name not in LOGGER_ARGUMENTS
        )
    elif not SHAPE.fullmatch(node.target):
        yield f"_target_: {node.target} is not coig's own and may run any code"
    for name, value in arguments.items():
        items = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(item, PLAIN) for item in items):
            yield f"{name}: is no plain value, so it may construct something else"
