"""The command line, checked before Hydra starts a job.

Hydra stops at the first bad override, and a sweep meets a bad value only when its arm's turn comes, hours later. Here
every override and every job of a sweep is checked at once.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic

import hydra
from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from coig.config import GenerateConfig, Node, TrainConfig
from coig.config.fields import MULTIRUN
from coig.config.loading import Schema, config_problems, load_config, render_problems
from coig.config.names import NAMED_ALWAYS
from coig.config.process import guarded
from coig.errors import ConfigError, suggestion

PACKAGE = Path(__file__).parents[1]
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if folder.is_dir())  # a wheel, a checkout
UNQUOTED = r"""(?<=[:\s])[^\s:,{}\[\]'"][^:,{}\[\]'"]*(?=[,}])"""  # a value of a dict on the command line
OF_A_SWEEP = {"study", "experiment", "length", "sweeper", "launcher"}  # the same for all its arms


def check_command_line(
    config_name: str, schema: type[Schema], check_job: Callable[[Schema], object] | None = None
) -> None:
    """Exit with one message if any job of the command line is unsound; name what a sweep varies in its arms.

    `check_job` is called with the config of every job of a sweep and may raise a ConfigError.
    """
    show_messages()
    arguments = get_args_parser().parse_args()
    if arguments.config_path:
        sys.exit("--config-path: would leave coig's own configs out; give a folder of yours with --config-dir")
    if arguments.cfg and arguments.multirun:
        sys.exit(f"--cfg {arguments.cfg}: shows the config of one job; leave out -m, and give each key one value")
    if any((arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)):
        return  # Hydra only shows something
    _check_writable(MULTIRUN if MULTIRUN.exists() else Path())
    try:
        with _composing(arguments.config_dir):
            name = arguments.config_name or config_name
            command = _Command.parse(name, schema, arguments.overrides, sweeps=arguments.multirun)
            problems, configs = _checked(command)
            if command.swept and check_job and not problems:
                problems = list(dict.fromkeys(str(e) for config in configs if (e := _error_of(check_job, config))))
    except (HydraException, OmegaConfBaseException) as error:
        problems = [str(error)]
    if problems:
        sys.exit(render_problems(problems))
    for study in {MULTIRUN / config.study for config in configs if isinstance(config, TrainConfig)}:
        if study.exists():
            _check_writable(study)  # before Hydra makes the arm's folder
    if command.naming:
        sys.argv.insert(sys.argv.index(arguments.overrides[0]), *command.naming)


def _check_writable(folder: Path) -> None:
    """Exit with a message if nothing can be written into a folder."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        sys.exit(f"{folder.absolute()}: cannot be written to; run the command from a folder of your own")


@contextmanager
def _composing(own_configs: str | None = None) -> Iterator[None]:
    """Let `compose` find what Hydra will find: our configs, and before them those of a user's folder (--config-dir)."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        if own_configs:
            folder = Path(own_configs).absolute()
            if not folder.is_dir():
                raise ConfigError(f"--config-dir {own_configs}: no such folder")
            path = create_config_search_path(str(CONF))
            path.prepend(provider="command-line", path=f"file://{folder}", anchor=SearchPathQuery(provider="schema"))
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2(task_name="app", config_search_path=path)
        yield


def _choices(group: str) -> list[str]:
    """Return what a group of configs offers; nothing if there is no such group."""
    return GlobalHydra.instance().config_loader().get_group_options(group)


def show_messages() -> None:
    """Let our messages reach the terminal where Hydra has not set up its logging, or not yet."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("coig").setLevel(logging.INFO)


def run_hydra(config_name: str, job: Callable[[DictConfig], Any]) -> None:
    """Let Hydra call `job` with the composed config of the command line, or of each job of a sweep."""
    hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)()


def run_tool(main: Callable[[Sequence[str]], None]) -> None:
    """Run a tool beside the entry scripts."""
    with guarded():
        main(sys.argv[1:])


def config_of(config_name: str, schema: type[Schema], lines: list[str]) -> Schema:
    """The config that these overrides make, for tools beside the entry scripts. Raises ConfigError as they do."""
    if options := [line for line in lines if line.startswith("-")]:
        raise ConfigError(f"{options[0]}: no such option; give overrides of one run, as key=value")
    try:
        with _composing():
            command = _Command.parse(config_name, schema, lines, sweeps=False)
            problems, configs = _checked(command)
            if problems:
                raise ConfigError(render_problems(problems))
            return configs[0]
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(str(error)) from None


@dataclass(frozen=True)
class _Command(Generic[Schema]):
    """What a command line asks for; `naming` is the override that names in the arms what a sweep varies."""

    config_name: str
    schema: type[Schema]
    overrides: list[Override]
    swept: list[Override]
    naming: list[str]

    @classmethod
    def parse(cls, config_name: str, schema: type[Schema], lines: list[str], *, sweeps: bool) -> _Command[Schema]:
        overrides = _parsed(lines)
        if sweeps:
            overrides = _with_own_sweep(config_name, overrides)
        swept = [o for o in overrides if o.is_sweep_override()] if sweeps else []
        varied = [key for o in swept if (key := _key(o)) not in NAMED_ALWAYS]
        said = any(o.key_or_group == "vary" for o in overrides)
        naming = [f"vary=[{','.join(varied)}]"] if varied and not said and schema is TrainConfig else []
        return cls(config_name, schema, overrides, swept, naming)

    def without(self, wrong: set[str]) -> _Command[Schema]:
        """The command with the sound overrides only."""
        sound = [o for o in self.overrides if _key(o) not in wrong]
        swept = [o for o in self.swept if o in sound]
        return replace(self, overrides=sound, swept=swept, naming=self.naming if swept == self.swept else [])

    def jobs(self) -> Iterator[tuple[str, DictConfig]]:
        """Yield the swept values and the composed config of every job."""
        fixed = [o.input_line or "" for o in self.overrides if o not in self.swept]
        choices = [[f"{o.get_key_element()}={value}" for value in _candidates(o)] for o in self.swept]
        for values in itertools.product(*choices):
            yield " ".join(values), compose_job(self.config_name, [*fixed, *values, *self.naming])


def _candidates(override: Override) -> list[str]:
    """Return the values that an override sweeps; of a search's interval, its two ends."""
    if override.is_interval_sweep():
        interval: Any = override.value()
        return [str(interval.start), str(interval.end)]
    return list(override.sweep_string_iterator())


def _with_own_sweep(config_name: str, overrides: list[Override]) -> list[Override]:
    """Put an experiment's own sweep (`hydra.sweeper.params`) before the command line, which replaces its keys."""
    fixed = [o.input_line or "" for o in overrides if not o.is_sweep_override()]
    try:
        cfg = compose(config_name, overrides=fixed, return_hydra_config=True)
    except HydraException:  # what is wrong with them is said with all other problems
        return overrides
    said = {_key(o) for o in overrides}
    params = cfg.hydra.sweeper.get("params") or {}
    return [*_parsed([f"{key}={value}" for key, value in params.items() if key not in said]), *overrides]


def _key(override: Override) -> str:
    """Return what an override names: a key, a group, or a group's choice for one place (`source@data.general.en`)."""
    return f"{override.key_or_group}@{override.package}" if override.package else override.key_or_group


def _parsed(lines: list[str]) -> list[Override]:
    """The overrides of the command line; what Hydra's grammar cannot read is explained with its usual mend."""
    overrides = []
    for line in lines:
        try:
            loader = GlobalHydra.instance().config_loader()  # knows the choices that glob(*) stands for
            overrides += OverridesParser.create(config_loader=loader).parse_overrides([line])
        except HydraException as error:
            raise ConfigError(
                f"{line}: cannot be read ({str(error).splitlines()[0]}); overrides are key=value, and a value with "
                f'spaces, commas, signs or full-width characters needs quotes of its own: "{_quoted(line)}"'
            ) from None
    return overrides


def _quoted(line: str) -> str:
    """Return the override with quotes around its value; in a list or a dict, around each value in it."""
    key, equals, value = line.partition("=")
    if value.startswith("[") and value.endswith("]"):
        return f"{key}=[{','.join(repr(item) for item in value[1:-1].split(','))}]"
    if value.startswith("{") and value.endswith("}"):
        return f"{key}=" + re.sub(UNQUOTED, lambda found: f"'{found[0].rstrip()}'", value)
    return f"{key}='{value}'" if equals else f"{line}=…"


def _checked(command: _Command[Schema]) -> tuple[list[str], list[Schema]]:
    """Return the problems of the overrides and of the jobs that the sound ones make, and the sound jobs' configs."""
    ours = [o for o in command.overrides if not (o.key_or_group.startswith("hydra") or o.is_add() or o.is_force_add())]
    groups = {_key(o): o for o in ours if _choices(o.key_or_group)}
    wrong = {key: _choice_problems(override) for key, override in groups.items()}
    chosen = [o.input_line or "" for key, o in groups.items() if not wrong[key] and not o.is_sweep_override()]
    known = OmegaConf.to_container(compose(command.config_name, overrides=chosen), resolve=False)
    wrong |= {key: _key_problems(known, key) for o in ours if (key := _key(o)) not in groups}
    sound = command.without({key for key, problems in wrong.items() if problems})
    problems, configs = _checked_jobs(sound)
    if configs and HydraConfig.get().job.chdir:  # of the job that was composed last
        problems.append("hydra.job.chdir=true: studies lie in multirun/ of the folder you start in; leave it out")
    if command.swept and configs:
        problems += _search_problems(configs[0]) + _one_model_problems(command, configs[0])
    return [problem for problems in wrong.values() for problem in problems] + problems, configs


def _search_problems(config: Node) -> list[str]:
    """Return the problems that a search would meet only after training, or in a traceback."""
    trials = HydraConfig.get().sweeper.get("n_trials")  # of the job that was composed last
    if trials is None or not isinstance(config, TrainConfig):
        return []
    problems = []
    if config.objective is None:
        problems.append("objective: null, so a search does not know what to lower; name a loss as validation/loss")
    if trials < 1:
        problems.append(f"hydra.sweeper.n_trials={trials}: must be at least 1")
    return problems


def _one_model_problems(command: _Command[Schema], config: Node) -> list[str]:
    """Return the problem of one and the same model of a server that would answer for all arms of a sweep."""
    if not isinstance(config, GenerateConfig) or not config.one_model or "arms" not in map(_key, command.swept):
        return []
    return [
        f"engine.model={config.one_model}: would answer for every arm of the sweep; run the command once for each arm, "
        "or write {arm} where the server's names have the arm's: \"engine.model='{arm}'\""
    ]


def _choice_problems(override: Override) -> list[str]:
    group, key = override.key_or_group, _key(override)
    choices = sorted(_choices(group))
    if override.is_delete():
        return []
    values = _candidates(override) if override.is_sweep_override() else [str(override.value())]
    return [
        f"{key}={value}: no such choice; choose from {', '.join(choices)}"
        + (" (~experiment for none)" if group == "experiment" else "")
        for value in values
        if value not in choices
    ]


def _key_problems(known: Any, key: str) -> list[str]:
    """Return why `key` cannot be overridden in the composed config `known` (plain dicts); nothing if it can."""
    parents: list[str] = []
    for name in key.split("."):
        if isinstance(known, list):
            break
        if not isinstance(known, dict) or name not in known:
            near = suggestion(name, list(known)) if isinstance(known, dict) else ""
            if isinstance(known, dict) and "_target_" in known:
                near += f"; an argument that {known['_target_']} takes besides is added with +{key}=…"
            return [f"{key}: unknown key" + (f" in {'.'.join(parents)}" if parents else "") + near]
        parents.append(name)
        known = known[name]
    return []


def _checked_jobs(command: _Command[Schema]) -> tuple[list[str], list[Schema]]:
    """The problems of every job, each said once, and the configs of those without any; a sweep's jobs must also have
    arms of their own."""
    if one := [o.key_or_group for o in command.swept if o.key_or_group in OF_A_SWEEP]:
        return [f"{one[0]}: cannot be swept, a sweep is one study; run the command once for each"], []
    problems: dict[str, None] = {}
    arms: dict[str, str] = {}
    configs = []
    for job, cfg in command.jobs():
        found = config_problems(cfg, command.schema)
        problems |= dict.fromkeys(found)
        if not found:
            configs.append(load_config(cfg, command.schema))
        if command.schema is TrainConfig and arms.setdefault(cfg.arm, job) != job:
            problems[f"{job} and {arms[cfg.arm]} are both the arm '{cfg.arm}': each needs a name of its own"] = None
    return list(problems), configs


def _error_of(check: Callable[[Schema], object], config: Schema) -> ConfigError | None:
    try:
        check(config)
    except ConfigError as error:
        return error
    return None


def compose_job(name: str, overrides: list[str]) -> DictConfig:
    """A job's config as Hydra will make it, its choices of groups in HydraConfig."""
    cfg = compose(name, overrides=overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
