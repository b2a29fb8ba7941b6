"""A stored config is data: what it names runs only if it is coig's own, or the user of the command allows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coig.config import Constructor
from coig.config.loading import construct
from coig.config.trust import LOGGER, check_trusted
from coig.errors import ConfigError

FILE = Path("multirun/s/cw/config.yaml")
SHAPE = "coig.data.sources.plain_text"


def problems(trusted: tuple[str, ...] = (), **node: Any) -> str:
    """Return what is refused of a node `data.creative`; an empty text if nothing is."""
    named = {"_target_" if key == "target" else key: value for key, value in node.items()}
    try:
        check_trusted(FILE, {"data.creative": Constructor.model_validate(named)}, trusted)
    except ConfigError as error:
        return str(error)
    return ""


def test_what_coig_writes_by_itself_is_trusted() -> None:
    assert not problems(target=SHAPE, column="text")
    assert not problems(target=LOGGER, project="coig", tags=["a", "b"], save_dir="multirun/s/cw", log_model=False)


@pytest.mark.parametrize(
    "target",
    [
        *("pathlib.Path.write_text", "os.system", "subprocess.call", "my_module.shape", "evil.WandbLogger"),
        *("coig.data.sources.re.compile", "coig.data.sources", "coig.data.sources._rename", "coig.data.sources.x\n"),
        *("coig.files.atomic.remove_folder", "lightning.pytorch.loggers.CSVLogger"),
    ],
)
def test_any_other_target_is_refused_unless_the_user_names_it(target: str) -> None:
    message = problems(target=target)
    assert message.startswith(f"{FILE}: a study may come from anyone")
    assert f"data.creative._target_: {target} is not coig's own and may run any code" in message
    assert f"trusted=[{target}] allows it" in message
    assert not problems((target,), target=target)
    assert problems(("another.target",), target=target)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("settings", {"base_url": "https://evil.example"}),
        ("entity", "evil"),
        ("dir", "/etc"),
        ("experiment", {"_target_": "os.system", "command": "true"}),
        ("tags", [{"_target_": "os.system"}]),
    ],
)
def test_a_logger_takes_plain_arguments_that_say_nothing_of_where_it_sends(argument: str, value: Any) -> None:
    assert f"data.creative.{argument}: " in problems(target=LOGGER, **{argument: value})


def test_a_nested_target_is_refused() -> None:
    assert "column: is no plain value" in problems(target=SHAPE, column={"_target_": "os.system"})


def test_no_text_is_looked_up_when_a_node_is_constructed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`config.yaml` may hold an escaped text that would be an interpolation if it were read once more."""
    monkeypatch.setenv("SECRET", "5ec2e7")
    node = Constructor.model_validate({"_target_": "pathlib.PurePath"})
    assert str(construct(node, "${oc.env:SECRET}")) == "${oc.env:SECRET}"
    node = Constructor.model_validate({"_target_": "builtins.dict", "a": "${oc.env:SECRET}", "b": ["x${y}"]})
    assert construct(node) == {"a": "${oc.env:SECRET}", "b": ["x${y}"]}
