"""Check the command line before Hydra starts a job.

Hydra stops at the first bad override, and a sweep finds a bad value only when that arm starts, hours later. Here every
override and every job of a sweep is checked at once.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Generic

import hydra
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from coig.config import TrainConfig
from coig.config.fields import MULTIRUN
from coig.config.loading import Schema, check_config, render_problems
from coig.config.names import NAMED_ALWAYS
from coig.config.override_problems import (
    describe_several,
    describe_unknown,
    describe_unreadable,
    find_choice_problems,
    find_group_problems,
    find_key_problems,
    is_valid_at,
)
from coig.config.overrides import quote_unreadable
from coig.config.serving import Served
from coig.config.sweep_problems import find_one_model_problems, find_search_problems
from coig.errors import ConfigError, first_line
from coig.files.atomic import write_atomic
from coig.files.secrets import remove_secrets

PACKAGE = Path(__file__).parents[1]
# installed from a wheel, or a checkout
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if folder.is_dir())
SAME_FOR_ALL_JOBS = {"study", "experiment", "length", "sweeper", "launcher"}  # keys that a sweep cannot vary


def check_command_line(
    config_name: str, schema: type[Schema], check_job: Callable[[Schema], object] | None = None
) -> list[Schema]:
    """Check the command line and return the configs of its jobs; [] if Hydra only prints something (`--help`, `--cfg`).

    Exits with one message that lists every problem; also for `--config-path`, `--cfg` with -m, or an unwritable folder.
    For a sweep of `train.py`, adds `vary=[…]` to `sys.argv`: arms' names then show what the sweep varies.

    Args:
        check_job: called with each job's config if a sweep varies something and all is right; may raise ConfigError.
    """
    sys.argv[1:] = map(quote_unreadable, sys.argv[1:])  # Hydra reads them again
    arguments, unknown = get_args_parser().parse_known_args()
    if unknown:
        with _composition():
            known = OmegaConf.to_container(compose(config_name), resolve=False)
        sys.exit(describe_unknown(unknown, arguments.overrides, known))
    if arguments.config_path:
        sys.exit("--config-path: would replace coig's own configs; add your folder with --config-dir")
    if arguments.cfg and arguments.multirun:
        sys.exit(f"--cfg {arguments.cfg}: shows the config of one job; leave out -m, and give each key one value")
    if any((arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)):
        return []
    _check_writable(MULTIRUN if MULTIRUN.exists() else Path())
    try:
        with _composition(arguments.config_dir):
            name = arguments.config_name or config_name
            command = _Command.parse(name, schema, arguments.overrides, sweeps=arguments.multirun)
            problems, configs = _check_command(command, may_sweep=not issubclass(schema, Served))
            if command.swept and check_job and not problems:
                problems = list(dict.fromkeys(str(e) for config in configs if (e := _catch_error(check_job, config))))
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        problems = [str(error)]
    if problems:
        sys.exit(render_problems(problems))
    for study in {MULTIRUN / config.study for config in configs if isinstance(config, TrainConfig)}:
        if study.exists():
            _check_writable(study)  # before Hydra creates the arm's folder
    if command.vary_override:
        sys.argv.insert(sys.argv.index(arguments.overrides[0]), *command.vary_override)
    return configs


def _check_writable(folder: Path) -> None:
    """Exit with a message if a folder does not exist or is not writable."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        sys.exit(f"{folder.absolute()}: cannot be written to; run the command from a folder that you can write to")


@contextmanager
def _composition(own_configs: str | None = None) -> Iterator[None]:
    """Let the block `compose` configs, first from the folder `own_configs`; raise ConfigError if that is missing."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        if own_configs:
            folder = Path(own_configs).absolute()
            if not folder.is_dir():
                raise ConfigError(f"--config-dir {own_configs}: no such folder")
            path = create_config_search_path(str(CONF))
            path.prepend(provider="command-line", path=f"file://{folder}", anchor=SearchPathQuery(provider="schema"))
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2(task_name="app", config_search_path=path)
        try:
            yield
        finally:
            _compose.cache_clear()  # another block may have other files


@cache
def _compose(config_name: str, *overrides: str) -> DictConfig:
    """Compose a config with Hydra's node `hydra`, which takes a fifth of a second, once in a block of `_composition`.

    Nothing may change it.
    """
    return compose(config_name, overrides=list(overrides), return_hydra_config=True)


def _list_choices(group: str) -> list[str]:
    """Return the names of the choices in a config group; an empty list if there is no such group."""
    loader: Any = GlobalHydra.instance().config_loader()
    found: list[str] = loader.repository.get_group_options(group)  # the loader's own method copies the repository first
    return found


def show_messages() -> None:
    """Log our messages to the terminal if Hydra has not (or not yet) configured logging."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("coig").setLevel(logging.INFO)


def run_hydra(config_name: str, job: Callable[[DictConfig], Any]) -> None:
    """Run `job` through Hydra, once for each job of a sweep; then remove secrets from Hydra's records of sweeps."""
    # Hydra would compose the config once more, only to read hydra.mode, which `check_command_line` found to be null.
    Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)()
    finally:
        _clean_records_of_sweeps()


def _clean_records_of_sweeps() -> None:
    """Remove secrets and the home folder's path from Hydra's records of sweeps; skip those that cannot be changed."""
    for file in (*MULTIRUN.glob("multirun.yaml"), *MULTIRUN.glob("*/multirun.yaml")):
        with suppress(OSError, UnicodeDecodeError):  # another command's: deleted meanwhile, or not ours to write
            text = file.read_text(encoding="utf-8")
            if (clean := remove_secrets(text)) != text:
                write_atomic(file, clean)


def config_of(config_name: str, schema: type[Schema], lines: list[str]) -> Schema:
    """Return the validated config that the override lines make, for tools and tests.

    Raises ConfigError with all problems.
    """
    if options := [line for line in lines if line.startswith("-")]:
        raise ConfigError(f"{options[0]}: no such option; give overrides of one run, as key=value")
    try:
        with _composition():
            command = _Command.parse(config_name, schema, list(map(quote_unreadable, lines)), sweeps=False)
            problems, configs = _check_command(command, may_sweep=False)
            if problems:
                raise ConfigError(render_problems(problems))
            return configs[0]
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(str(error)) from None


@dataclass(frozen=True)
class _Command(Generic[Schema]):
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
    def parse(cls, config_name: str, schema: type[Schema], lines: list[str], *, sweeps: bool) -> _Command[Schema]:
        """Return the command that override lines make; with `sweeps`, an experiment's own sweep is added to them.

        Raises ConfigError for a line that cannot be read.
        """
        overrides = _parse_overrides(lines)
        if sweeps:
            overrides = _add_own_sweep(config_name, overrides)
        swept = [o for o in overrides if o.is_sweep_override()] if sweeps else []
        varied = [key for o in swept if (key := _name_of(o)) not in NAMED_ALWAYS]
        given = any(o.key_or_group == "vary" for o in overrides)
        vary_override = [f"vary=[{','.join(varied)}]"] if varied and not given and schema is TrainConfig else []
        return cls(config_name, schema, overrides, swept, vary_override)

    def without(self, wrong: set[str]) -> _Command[Schema]:
        """Return the command without the overrides of the keys or groups `wrong`.

        It has no `vary_override` if one of them was swept.
        """
        sound = [o for o in self.overrides if _name_of(o) not in wrong]
        swept = [o for o in self.swept if o in sound]
        return replace(
            self, overrides=sound, swept=swept, vary_override=self.vary_override if swept == self.swept else []
        )

    def jobs(self) -> Iterator[tuple[str, DictConfig]]:
        """Yield each job as its swept overrides in one string, and its composed config.

        Jobs that differ in the values of keys alone are composed once, then changed, which takes a tenth of the time.
        """
        fixed = [o.input_line or "" for o in self.overrides if o not in self.swept]
        choices = [[f"{o.get_key_element()}={value}" for value in _list_values(o)] for o in self.swept]
        must_compose = [_must_compose(o) for o in self.swept]
        for values in itertools.product(*choices):
            jobs = list(zip(values, must_compose, strict=True))
            cfg = _without_hydra(_compose(self.config_name, *fixed, *(value for value, must in jobs if must)))
            changes = [*self.vary_override, *(value for value, must in jobs if not must)]
            ConfigLoaderImpl._apply_overrides_to_config(_parse_overrides(changes), cfg)
            yield " ".join(values), cfg


def _must_compose(override: Override) -> bool:
    """Tell whether an override does more than set a key of ours: it chooses a group's file or configures Hydra."""
    return bool(_list_choices(override.key_or_group)) or override.key_or_group.startswith("hydra")


def _list_values(override: Override) -> list[str]:
    """Return the values that an override sweeps; for an interval of a search, its two ends."""
    if override.is_interval_sweep():
        interval: Any = override.value()
        return [str(interval.start), str(interval.end)]
    return list(override.sweep_string_iterator())


def _add_own_sweep(config_name: str, overrides: list[Override]) -> list[Override]:
    """Return the overrides after those of an experiment's own sweep (`hydra.sweeper.params`).

    Keys that the command line gives are left out. If the config cannot be composed, return the overrides unchanged.
    """
    fixed = [o.input_line or "" for o in overrides if not o.is_sweep_override()]
    try:
        cfg = _compose(config_name, *fixed)
    except HydraException:  # reported later with all other problems
        return overrides
    given = {_name_of(o) for o in overrides}
    params = cfg.hydra.sweeper.get("params") or {}
    return [*_parse_overrides([f"{key}={value}" for key, value in params.items() if key not in given]), *overrides]


def _name_of(override: Override) -> str:
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


def _check_command(command: _Command[Schema], *, may_sweep: bool) -> tuple[list[str], list[Schema]]:
    """Return the problems of a command's overrides and jobs, and the configs of the jobs without problems.

    Jobs are composed from the valid overrides only.

    Args:
        may_sweep: -m would make the command a sweep.
    """
    ours = [o for o in command.overrides if not (o.key_or_group.startswith("hydra") or o.is_add() or o.is_force_add())]
    groups = {_name_of(o): o for o in ours if _list_choices(o.key_or_group)}
    wrong = {key: found for key, override in groups.items() if (found := _find_choice_problems(override))}
    several = {_name_of(o): o for o in ours if o.is_sweep_override() and o not in command.swept}
    for key, override in several.items():
        if key not in wrong and (found := _find_several_problems(command, override, may_sweep)):
            wrong[key] = found
    try:
        problems, configs = _check_jobs(command.without(set(wrong)))
    except (HydraException, OmegaConfBaseException):  # which names only the first unknown key
        wrong |= _find_unknown(command, [o for o in ours if _name_of(o) not in wrong])
        problems, configs = _check_jobs(command.without(set(wrong)))
    if configs and HydraConfig.get().job.chdir:  # HydraConfig is that of the last composed job
        problems.append("hydra.job.chdir=true: studies lie in multirun/ of the folder you start in; leave it out")
    if configs and (mode := HydraConfig.get().mode):
        problems.append(f"hydra.mode={mode.name}: leave it out; -m makes a command a sweep")
    if command.swept and configs:
        problems += find_search_problems(configs[0])
        problems += find_one_model_problems(configs[0], list(map(_name_of, command.swept)))
    return [problem for found in wrong.values() for problem in found] + problems, configs


def _find_choice_problems(override: Override) -> list[str]:
    """Return a problem for each value of a group's override that is not among the group's choices; [] for `~group`."""
    if override.is_delete():
        return []
    values = _list_values(override) if override.is_sweep_override() else [str(override.value())]
    return find_choice_problems(_name_of(override), values, sorted(_list_choices(override.key_or_group)))


def _find_several_problems(command: _Command[Schema], override: Override, may_sweep: bool) -> list[str]:
    """Return the problem of an override with several values that is not swept; [] if its key is unknown.

    A key takes a list if the config is valid when the values are one.
    """
    line = override.input_line or ""
    key, _, values = line.partition("=")
    if _list_choices(override.key_or_group) or override.value_type != ValueType.SIMPLE_CHOICE_SWEEP:
        return [describe_several(line, is_list=False, may_sweep=may_sweep)]
    try:
        cfg = compose(command.config_name, overrides=[f"{key}=[{values}]"])
    except HydraException:
        return []
    return [describe_several(line, is_list=is_valid_at(cfg, command.schema, key), may_sweep=may_sweep)]


def _find_unknown(command: _Command[Schema], overrides: list[Override]) -> dict[str, list[str]]:
    """Return the problems, by name, of overrides of a group or key that the command's config does not have."""
    chosen = {_name_of(o): o.input_line or "" for o in overrides if _list_choices(o.key_or_group)}
    of_command = _list_groups(command.config_name, [])
    fixed = [o.input_line or "" for o in overrides if _name_of(o) in of_command and not o.is_sweep_override()]
    groups = _list_groups(command.config_name, fixed)
    known = OmegaConf.to_container(compose(command.config_name, overrides=fixed), resolve=False)
    found = {key: find_group_problems(line, key, command.config_name, groups) for key, line in chosen.items()}
    keys = [_name_of(o) for o in overrides if _name_of(o) not in chosen]
    found |= {key: find_key_problems(known, key) for key in keys}
    return {key: problems for key, problems in found.items() if problems}


def _list_groups(config_name: str, overrides: list[str]) -> list[str]:
    """Return the groups that a command has with these overrides, without Hydra's own, each with its package."""
    cfg = compose(config_name, overrides=overrides, return_hydra_config=True)
    return sorted(str(group) for group in cfg.hydra.runtime.choices if not str(group).startswith("hydra/"))


def _check_jobs(command: _Command[Schema]) -> tuple[list[str], list[Schema]]:
    """Return the distinct problems of all jobs, and the configs of the jobs without problems.

    It is also a problem if two jobs train an arm of the same name. A sweep of a key in SAME_FOR_ALL_JOBS is the only
    problem that is returned, without any configs.
    """
    if one := [o.key_or_group for o in command.swept if o.key_or_group in SAME_FOR_ALL_JOBS]:
        return [f"{one[0]}: cannot be swept, a sweep is one study; run the command once for each"], []
    problems: dict[str, None] = {}
    arms: dict[str, str] = {}
    configs = []
    for job, cfg in command.jobs():
        found = check_config(cfg, command.schema)
        if isinstance(found, list):
            problems |= dict.fromkeys(found)
        else:
            configs.append(found)
        if command.schema is TrainConfig and arms.setdefault(cfg.arm, job) != job:
            problems[f"{job} and {arms[cfg.arm]} are both the arm '{cfg.arm}': each needs a name of its own"] = None
    return list(problems), configs


def _catch_error(check: Callable[[Schema], object], config: Schema) -> ConfigError | None:
    """Return the ConfigError that `check` raises for a config; None if it raises none."""
    try:
        check(config)
    except ConfigError as error:
        return error
    return None


def _without_hydra(cfg: DictConfig) -> DictConfig:
    """Return a copy of a composed config without the node `hydra`; set the global HydraConfig to this node."""
    HydraConfig.instance().set_config(cfg)
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
