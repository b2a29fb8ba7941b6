"""The command line, checked before Hydra starts a job.

Hydra stops at the first bad override, and a sweep meets a bad value only when its arm's turn comes, hours later. Here
every override and every job of a sweep is checked at once.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from coig.config import Node, TrainConfig, config_problems, render_problems, suggestion

CONF = Path(__file__).parent.parent / "conf"
NAMED_ALREADY = {"data.ratio", "supervision", "seed"}  # what an arm's name shows in any case


def check_command_line(config_name: str, schema: type[Node] = TrainConfig) -> None:
    """Exit with one message if any job of the command line is unsound; name what a sweep varies in its arms."""
    arguments = get_args_parser().parse_args()
    if any((arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)):
        return  # Hydra only shows something
    try:
        overrides = OverridesParser.create().parse_overrides(arguments.overrides)
        swept = [o for o in overrides if o.is_sweep_override()] if arguments.multirun else []
        naming = _naming(overrides, swept) if schema is TrainConfig else []
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            name = arguments.config_name or config_name
            problems = _override_problems(name, overrides) or _job_problems(name, schema, overrides, swept, naming)
    except (HydraException, OmegaConfBaseException) as error:
        problems = [str(error)]
    if problems:
        sys.exit(render_problems(problems))
    sys.argv += naming


def _naming(overrides: list[Override], swept: list[Override]) -> list[str]:
    """The override that names what a sweep varies, unless the user said what to name or it shows in any case."""
    varied = [o.key_or_group for o in swept if o.key_or_group not in NAMED_ALREADY]
    named = any(o.key_or_group == "vary" for o in overrides)
    return [f"vary=[{','.join(varied)}]"] if varied and not named else []


def _override_problems(config_name: str, overrides: list[Override]) -> list[str]:
    """Groups, choices and keys that do not exist, each with what was probably meant."""
    problems, groups, keys = [], [], []
    for override in overrides:
        if override.key_or_group.startswith("hydra") or override.is_add() or override.is_force_add():
            continue
        if (CONF / override.key_or_group).is_dir():
            groups.append(override)
            problems += _choice_problems(override)
        else:
            keys.append(override)
    chosen = [o.input_line for o in groups if not o.is_sweep_override() and not _choice_problems(o) and o.input_line]
    base = compose(config_name, overrides=chosen)
    known = OmegaConf.to_container(base, resolve=False)
    return problems + [problem for o in keys if (problem := _key_problem(known, o.key_or_group))]


def _choice_problems(override: Override) -> list[str]:
    group = override.key_or_group
    choices = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    if override.is_delete():
        return []
    values = list(override.sweep_string_iterator()) if override.is_sweep_override() else [str(override.value())]
    return [
        f"{group}={value}: no such choice; choose from {', '.join(choices)}"
        for value in values
        if value not in (*choices, "None", "null")
    ]


def _key_problem(known: Any, key: str) -> str | None:
    """What is wrong with overriding `key` in the composed config `known` (plain dicts)."""
    parents: list[str] = []
    for name in key.split("."):
        if isinstance(known, list):
            return None
        if not isinstance(known, dict) or name not in known:
            near = suggestion(name, list(known)) if isinstance(known, dict) else ""
            if isinstance(known, dict) and "_target_" in known:
                near += f"; an argument that {known['_target_']} takes besides is added with +{key}=…"
            return f"{key}: unknown key" + (f" in {'.'.join(parents)}" if parents else "") + near
        parents.append(name)
        known = known[name]
    return None


def _job_problems(
    name: str, schema: type[Node], overrides: list[Override], swept: list[Override], naming: list[str]
) -> list[str]:
    """The problems of every job, each said once; a sweep's jobs must also have arms of their own."""
    if any(o.key_or_group == "study" for o in swept):
        return ["study: cannot be swept, a sweep is one study; run the command once per study"]
    fixed = [o.input_line or "" for o in overrides if o not in swept]
    choices = [[f"{o.get_key_element()}={value}" for value in o.sweep_string_iterator()] for o in swept]
    problems: dict[str, None] = {}
    arms: dict[str, str] = {}
    for values in itertools.product(*choices):
        cfg = compose(name, overrides=[*fixed, *values, *naming])
        problems |= dict.fromkeys(config_problems(cfg, schema))
        job = " ".join(values)
        if schema is TrainConfig and arms.setdefault(cfg.arm, job) != job:
            problems[f"{job} and {arms[cfg.arm]} are both the arm '{cfg.arm}': each needs a name of its own"] = None
    return list(problems)
