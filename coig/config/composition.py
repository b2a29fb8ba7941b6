"""Compose the configs of a command's jobs with Hydra.

Only here and in `command_line` is Hydra's own code used, some of which is private.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import compress
from pathlib import Path
from typing import Any, Generic

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from coig.config import TrainConfig
from coig.config.loading import Schema
from coig.config.names import NAMED_ALWAYS
from coig.config.override_problems import describe_unreadable
from coig.errors import ConfigError, first_line

PACKAGE = Path(__file__).parents[1]
# installed from a wheel, or a checkout
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if folder.is_dir())


@contextmanager
def composing(own_configs: str | None = None) -> Iterator[None]:
    """Let the block `compose` configs, first from the folder `own_configs`; raise ConfigError if that is missing."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        if own_configs:
            folder = Path(own_configs).absolute()
            if not folder.is_dir():
                raise ConfigError(f"--config-dir {own_configs}: no such folder")
            compose_once.cache_clear()
            path = create_config_search_path(str(CONF))
            path.prepend(provider="command-line", path=f"file://{folder}", anchor=SearchPathQuery(provider="schema"))
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2(task_name="app", config_search_path=path)
        try:
            yield
        finally:
            if own_configs:
                compose_once.cache_clear()


@lru_cache(maxsize=64)
def compose_once(config_name: str, *overrides: str) -> DictConfig:
    """Compose a config with Hydra's node `hydra`, which takes a fifth of a second, once in a process.

    With a folder of own configs, once in the block of `composing`. Nothing may change it.
    """
    return compose(config_name, overrides=list(overrides), return_hydra_config=True)


def compose_job(config_name: str, overrides: Sequence[Override]) -> DictConfig:
    """Return the config that Hydra composes of overrides, without its node; set the global HydraConfig to this node.

    Raises Hydra's errors.
    """
    return _without_hydra(_compose(config_name, overrides))


def _compose(config_name: str, overrides: Sequence[Override]) -> DictConfig:
    """Return the config that Hydra composes of overrides.

    Configs that differ in the values of keys alone are composed once. The keys are set in a copy, which takes a tenth
    of the time.
    """
    composed = compose_once(config_name, *(o.input_line or "" for o in overrides if _must_compose(o)))
    cfg = copy.deepcopy(composed)
    ConfigLoaderImpl._apply_overrides_to_config([o for o in overrides if not _must_compose(o)], cfg)
    return cfg


def _without_hydra(composed: DictConfig) -> DictConfig:
    """Return a copy of a composed config without the node `hydra`; set the global HydraConfig to this node."""
    HydraConfig.instance().set_config(composed)
    cfg = copy.deepcopy(composed)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def list_choices(group: str) -> list[str]:
    """Return the names of the choices in a config group; an empty list if there is no such group."""
    loader: Any = GlobalHydra.instance().config_loader()
    found: list[str] = loader.repository.get_group_options(group)  # the loader's own method copies the repository first
    return found


def list_groups(config_name: str, overrides: list[str]) -> list[str]:
    """Return the groups that a command has with these overrides, without Hydra's own, each with its package."""
    cfg = compose_once(config_name, *overrides)
    return sorted(str(group) for group in cfg.hydra.runtime.choices if not str(group).startswith("hydra/"))


@dataclass(frozen=True)
class Command(Generic[Schema]):
    """A parsed command line.

    `swept` are those of the `overrides` that a sweep varies. `vary_override` holds the override `vary=[…]` that makes
    arms' names show the swept keys; it is empty if it is not needed.
    """

    config_name: str
    schema: type[Schema]
    overrides: list[Override]
    swept: list[Override]
    vary_override: list[str]

    @classmethod
    def parse(cls, config_name: str, schema: type[Schema], lines: list[str], *, sweeps: bool) -> Command[Schema]:
        """Return the command that override lines make; with `sweeps`, an experiment's own sweep is added to them.

        Raises ConfigError for a line that cannot be read.
        """
        overrides = _parse_overrides(lines)
        if sweeps:
            overrides = _add_own_sweep(config_name, overrides)
        swept = [o for o in overrides if o.is_sweep_override()] if sweeps else []
        varied = [key for o in swept if (key := name_of(o)) not in NAMED_ALWAYS]
        given = any(o.key_or_group == "vary" for o in overrides)
        vary_override = [f"vary=[{','.join(varied)}]"] if varied and not given and schema is TrainConfig else []
        return cls(config_name, schema, overrides, swept, vary_override)

    def without(self, wrong: set[str]) -> Command[Schema]:
        """Return the command without the overrides of the keys or groups `wrong`.

        It has no `vary_override` if one of them was swept.
        """
        sound = [o for o in self.overrides if name_of(o) not in wrong]
        swept = [o for o in self.swept if o in sound]
        return replace(
            self, overrides=sound, swept=swept, vary_override=self.vary_override if swept == self.swept else []
        )

    def jobs(self) -> Iterator[tuple[str, DictConfig]]:
        """Yield each job as its swept overrides in one string, and its composed config.

        Jobs in a row that differ in the values of keys alone are copies of one, in which only these keys are set. The
        global HydraConfig is of that one.
        """
        fixed = [*_parse_overrides(self.vary_override), *(o for o in self.overrides if o not in self.swept)]
        values = [[f"{o.get_key_element()}={value}" for value in list_values(o)] for o in self.swept]
        choose = [_chooses_files(o) for o in self.swept]
        composed: dict[tuple[str, ...], DictConfig] = {}

        def chosen_in(job: tuple[str, ...]) -> tuple[str, ...]:
            """Return those of a job's overrides that choose files."""
            return tuple(compress(job, choose))

        for chosen, jobs in itertools.groupby(itertools.product(*values), chosen_in):
            if chosen not in composed:
                composed[chosen] = _compose(self.config_name, [*fixed, *_parse_overrides([*chosen])])
            first = _without_hydra(composed[chosen])
            for job in jobs:
                cfg = copy.deepcopy(first)
                keys = [line for line in job if line not in chosen]
                ConfigLoaderImpl._apply_overrides_to_config(_parse_overrides(keys), cfg)
                yield " ".join(job), cfg


def _must_compose(override: Override) -> bool:
    """Tell whether Hydra must see an override to compose a job: it chooses files, or has several values, an error."""
    return _chooses_files(override) or override.is_sweep_override()


def _chooses_files(override: Override) -> bool:
    """Tell whether an override does more than set a key of ours: it chooses a group's file or configures Hydra."""
    return bool(list_choices(override.key_or_group)) or override.key_or_group.startswith("hydra")


def list_values(override: Override) -> list[str]:
    """Return the values that an override sweeps; for an interval of a search, its two ends."""
    if override.is_interval_sweep():
        interval: Any = override.value()
        return [str(interval.start), str(interval.end)]
    return list(override.sweep_string_iterator())


def _add_own_sweep(config_name: str, overrides: list[Override]) -> list[Override]:
    """Return the overrides after those of an experiment's own sweep (`hydra.sweeper.params`).

    Keys that the command line gives are left out. If the config cannot be composed, return the overrides unchanged.
    """
    try:
        compose_job(config_name, [o for o in overrides if not o.is_sweep_override()])
    except HydraException:  # reported later with all other problems
        return overrides
    given = {name_of(o) for o in overrides}
    params = HydraConfig.get().sweeper.get("params") or {}
    return [*_parse_overrides([f"{key}={value}" for key, value in params.items() if key not in given]), *overrides]


def name_of(override: Override) -> str:
    """Return the key or group that an override sets, with its package: `data.ratio`, `source@data.general.en`."""
    return f"{override.key_or_group}@{override.package}" if override.package else override.key_or_group


def _parse_overrides(lines: list[str]) -> list[Override]:
    """Parse override lines by Hydra's grammar. Raises ConfigError, with a likely remedy, for a line it cannot read."""
    overrides = []
    for line, following in itertools.zip_longest(lines, lines[1:]):
        try:
            loader = GlobalHydra.instance().config_loader()  # resolves the choices of glob(*)
            overrides += OverridesParser.create(config_loader=loader).parse_overrides([line])
        except HydraException as error:
            raise ConfigError(describe_unreadable(line, first_line(error), following)) from None
    return overrides
