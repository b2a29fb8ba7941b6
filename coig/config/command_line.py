"""Check the command line before Hydra starts a job.

Hydra stops at the first bad override, and a sweep finds a bad value only when that arm starts, hours later. Here every
override and every job of a sweep is checked at once.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from argparse import ArgumentError, Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
from hydra import compose
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from coig.config import TrainConfig
from coig.config.composition import (
    CONF,
    Command,
    compose_job,
    compose_once,
    composing,
    list_choices,
    list_groups,
    list_values,
    name_of,
)
from coig.config.fields import MULTIRUN
from coig.config.loading import Schema, check_config, render_problems
from coig.config.override_problems import (
    describe_several,
    describe_unknown,
    find_choice_problems,
    find_group_problems,
    find_key_problems,
    is_valid_at,
)
from coig.config.overrides import quote_unreadable
from coig.config.serving import Served
from coig.config.sweep_problems import find_one_model_problems, find_search_problems
from coig.errors import ConfigError
from coig.files.atomic import write_atomic
from coig.files.secrets import remove_secrets

SAME_FOR_ALL_JOBS = {"study", "experiment", "length", "sweeper", "launcher"}  # keys that a sweep cannot vary


def check_command_line(
    config_name: str, schema: type[Schema], check_job: Callable[[Schema], object] | None = None
) -> list[Schema]:
    """Check the command line and return the configs of its jobs; [] if Hydra only prints something (`--help`, `--cfg`).

    Exits with one message that lists every problem; also for `--config-path`, `--cfg` with -m, or an unwritable folder.
    Where Hydra only prints, the config may be incomplete, or invalid, but overrides must be known.
    For a sweep of `train.py`, adds `vary=[…]` to `sys.argv`: arms' names then show what the sweep varies.

    Args:
        check_job: called with each job's config if a sweep varies something and all is right; may raise ConfigError.
    """
    sys.argv[1:] = map(quote_unreadable, sys.argv[1:])  # Hydra reads them again
    arguments, unknown = _parse_arguments()
    if unknown:
        with composing():
            known = OmegaConf.to_container(compose(config_name), resolve=False)
        sys.exit(describe_unknown(unknown, arguments.overrides, known))
    if arguments.config_path:
        sys.exit("--config-path: would replace coig's own configs; add your folder with --config-dir")
    if arguments.cfg and arguments.multirun:
        sys.exit(f"--cfg {arguments.cfg}: shows the config of one job; leave out -m, and give each key one value")
    prints = any((arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion))
    if not prints:
        _check_writable(MULTIRUN if MULTIRUN.exists() else Path())
    try:
        with composing(arguments.config_dir):
            name = arguments.config_name or config_name
            command = Command.parse(name, schema, arguments.overrides, sweeps=arguments.multirun)
            check = _check_printable if prints else _check_command
            problems, configs = check(command, may_sweep=not issubclass(schema, Served))
            if command.swept and check_job and not problems:
                problems = list(dict.fromkeys(str(e) for config in configs if (e := _catch_error(check_job, config))))
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        problems = [str(error)]
    if problems:
        sys.exit(render_problems(problems))
    for study in {MULTIRUN / config.study for config in configs if isinstance(config, TrainConfig)}:
        if study.exists():
            _check_writable(study)  # before Hydra creates the arm's folder
    if arguments.help and arguments.multirun:  # Hydra's help is of one job
        of_sweep = {"-m", "--multirun", *(o.input_line for o in command.swept)}
        sys.argv[:] = [argument for argument in sys.argv if argument not in of_sweep]
    elif command.vary_override:
        sys.argv.insert(sys.argv.index(arguments.overrides[0]), *command.vary_override)
    return configs


def _parse_arguments() -> tuple[Namespace, list[str]]:
    """Return Hydra's options and the overrides, and the arguments that are neither; exit with one line if one is wrong.

    Hydra's own parser would print all its options, and takes `-help` for `-h` with a value.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    options = set(re.findall(r"--[\w-]+", parser.format_usage()))
    for argument in sys.argv[1:]:
        if f"-{argument}" in options:
            sys.exit(f"{argument}: write it with two dashes, -{argument}")
    try:
        return parser.parse_known_args()
    except ArgumentError as error:
        sys.exit(f"{(error.argument_name or '').split('/')[0]}: {error.message}; --hydra-help lists the options")


def _check_writable(folder: Path) -> None:
    """Exit with a message if a folder does not exist or is not writable."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        sys.exit(f"{folder.absolute()}: cannot be written to; run the command from a folder that you can write to")


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
        with composing():
            command = Command.parse(config_name, schema, list(map(quote_unreadable, lines)), sweeps=False)
            problems, configs = _check_command(command, may_sweep=False)
            if problems:
                raise ConfigError(render_problems(problems))
            return configs[0]
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(str(error)) from None


def _check_command(command: Command[Schema], *, may_sweep: bool) -> tuple[list[str], list[Schema]]:
    """Return the problems of a command's overrides and jobs, and the configs of the jobs without problems.

    Jobs are composed from the valid overrides only.

    Args:
        may_sweep: -m would make the command a sweep.
    """
    wrong = _find_wrong_values(command, may_sweep)
    try:
        problems, configs = _check_jobs(command.without(set(wrong)))
    except (HydraException, OmegaConfBaseException):  # which names only the first unknown key
        wrong |= _find_unknown(command.without(set(wrong)))
        problems, configs = _check_jobs(command.without(set(wrong)))
    if configs and HydraConfig.get().job.chdir:  # HydraConfig is that of the last composed job
        problems.append("hydra.job.chdir=true: studies lie in multirun/ of the folder you start in; leave it out")
    if configs and (mode := HydraConfig.get().mode):
        problems.append(f"hydra.mode={mode.name}: leave it out; -m makes a command a sweep")
    if command.swept and configs:
        problems += find_search_problems(configs[0])
        problems += find_one_model_problems(configs[0], list(map(name_of, command.swept)))
    return [problem for found in wrong.values() for problem in found] + problems, configs


def _check_printable(command: Command[Schema], *, may_sweep: bool) -> tuple[list[str], list[Schema]]:
    """Return the problems of overrides with which Hydra could not compose the config that it is to print, and [].

    Args:
        may_sweep: as in `_check_command`.
    """
    wrong = _find_wrong_values(command, may_sweep)
    sound = command.without(set(wrong))
    try:
        compose_job(command.config_name, [o for o in sound.overrides if o not in sound.swept])
    except (HydraException, OmegaConfBaseException):
        wrong |= _find_unknown(sound)
    return [problem for found in wrong.values() for problem in found], []


def _find_wrong_values(command: Command[Schema], may_sweep: bool) -> dict[str, list[str]]:
    """Return the problems, by name, of overrides with a choice that their group lacks, or several without -m.

    Args:
        may_sweep: as in `_check_command`.
    """
    ours = _list_ours(command)
    groups = {name_of(o): o for o in ours if list_choices(o.key_or_group)}
    wrong = {key: found for key, override in groups.items() if (found := _find_choice_problems(override))}
    several = {name_of(o): o for o in ours if o.is_sweep_override() and o not in command.swept}
    for key, override in several.items():
        if key not in wrong and (found := _find_several_problems(command, override, may_sweep)):
            wrong[key] = found
    return wrong


def _list_ours(command: Command[Schema]) -> list[Override]:
    """Return the overrides of our own keys and groups: neither Hydra's nor new ones (`+key=value`)."""
    return [o for o in command.overrides if not (o.key_or_group.startswith("hydra") or o.is_add() or o.is_force_add())]


def _find_choice_problems(override: Override) -> list[str]:
    """Return a problem for each value of a group's override that is not among the group's choices; [] for `~group`."""
    if override.is_delete():
        return []
    values = list_values(override) if override.is_sweep_override() else [str(override.value())]
    return find_choice_problems(name_of(override), values, sorted(list_choices(override.key_or_group)))


def _find_several_problems(command: Command[Schema], override: Override, may_sweep: bool) -> list[str]:
    """Return the problem of an override with several values that is not swept; [] if its key is unknown.

    A key takes a list if the config is valid when the values are one.
    """
    line = override.input_line or ""
    key, _, values = line.partition("=")
    if list_choices(override.key_or_group) or override.value_type != ValueType.SIMPLE_CHOICE_SWEEP:
        return [describe_several(line, is_list=False, may_sweep=may_sweep)]
    try:
        cfg = compose(command.config_name, overrides=[f"{key}=[{values}]"])
    except HydraException:
        return []
    return [describe_several(line, is_list=is_valid_at(cfg, command.schema, key), may_sweep=may_sweep)]


def _find_unknown(command: Command[Schema]) -> dict[str, list[str]]:
    """Return the problems, by name, of overrides of a group or key that the command's config does not have."""
    overrides = _list_ours(command)
    chosen = {name_of(o): o.input_line or "" for o in overrides if list_choices(o.key_or_group)}
    of_command = list_groups(command.config_name, [])
    fixed = [o.input_line or "" for o in overrides if name_of(o) in of_command and not o.is_sweep_override()]
    groups = list_groups(command.config_name, fixed)
    known: Any = OmegaConf.to_container(compose_once(command.config_name, *fixed), resolve=False)
    del known["hydra"]
    found = {key: find_group_problems(line, key, command.config_name, groups) for key, line in chosen.items()}
    keys = [name_of(o) for o in overrides if name_of(o) not in chosen]
    found |= {key: find_key_problems(known, key) for key in keys}
    return {key: problems for key, problems in found.items() if problems}


def _check_jobs(command: Command[Schema]) -> tuple[list[str], list[Schema]]:
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
