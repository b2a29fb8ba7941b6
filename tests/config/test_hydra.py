"""What of Hydra is not public: used in two files only, and a change of it is said here before users meet it."""

from __future__ import annotations

import inspect

import pytest
from hydra import compose
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from coig.config.composition import CONF, compose_job, composing
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


@pytest.mark.parametrize(
    "lines",
    [
        ["data.ratio=0", "model=qwen3-0.6b", "model.max_length=100"],
        ["experiment=scale_grid", "trainer.max_epochs=2", "seed=1", "seed=2"],
        ["++trainer.max_epochs=2", "+trainer.benchmark=true", "~optimizer.betas", "data.creative={path: x}"],
        ["~logger", "source@data.general.en=gsm8k", "data.general.en.path=x", "hydra.job.chdir=true"],
    ],
    ids=" ".join,
)
def test_a_job_is_what_hydra_composes(lines: list[str]) -> None:
    """Also after another job that chose the same files."""
    with composing():
        expected = compose("train", overrides=lines, return_hydra_config=True)
        overrides = OverridesParser.create().parse_overrides(lines)
        compose_job("train", [*overrides, *OverridesParser.create().parse_overrides(["study=another"])])
        cfg = compose_job("train", overrides)
    assert HydraConfig.get().runtime.choices == expected.hydra.runtime.choices
    assert HydraConfig.get().job.chdir == expected.hydra.job.chdir
    without = OmegaConf.masked_copy(expected, [str(key) for key in expected if key != "hydra"])
    assert OmegaConf.to_container(cfg, resolve=False) == OmegaConf.to_container(without, resolve=False)
