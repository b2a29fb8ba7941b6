"""What of Hydra is not public: used in two files only, and a change of it is said here before users meet it."""

from __future__ import annotations

import inspect

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.override_parser.types import Override

from coig.config.composition import CONF
from tests.conftest import ROOT


def test_private_names_are_imported_where_configs_are_composed_only() -> None:
    files = {file.name for file in (ROOT / "coig").rglob("*.py") if "hydra._internal" in file.read_text("utf-8")}
    assert files == {"command_line.py", "composition.py"}


def test_hydra_is_still_what_the_command_line_takes_it_for() -> None:
    assert list(inspect.signature(create_config_search_path).parameters) == ["search_path_dir"]
    assert list(inspect.signature(Hydra.create_main_hydra2).parameters) == ["task_name", "config_search_path"]
    assert list(inspect.signature(ConfigLoaderImpl._apply_overrides_to_config).parameters) == ["overrides", "cfg"]
    repository = ConfigLoaderImpl(create_config_search_path(str(CONF))).repository
    assert set(repository.get_group_options("supervision")) >= {"process", "outcome"}
    parsed = get_args_parser().parse_args(["-m", "--config-dir", "mine", "a=1"])
    assert (parsed.multirun, parsed.config_dir, parsed.config_path, parsed.overrides) == (True, "mine", None, ["a=1"])
    names = ("is_sweep_override", "is_interval_sweep", "sweep_string_iterator", "get_key_element", "is_delete")
    assert all(callable(getattr(Override, name)) for name in names)
