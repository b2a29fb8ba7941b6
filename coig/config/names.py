"""Make an arm's name from its ratio and from the settings in which it differs from the paper's arms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from coig.config import TrainConfig
from coig.config.ratio import Ratio


def name_of_value(value: Any) -> str:
    """Return the text for a config value in an arm's name.

    A path gives its last part, a list its items joined with `+`, a node its name, else its path, else its `_target_`,
    None `null`.
    """
    if isinstance(value, Mapping):
        return name_of_value(value.get("name") or value.get("path") or value.get("_target_"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "+".join(map(name_of_value, value))
    return "null" if value is None else str(value).rpartition("/")[2]


NAMED_ALWAYS = ("data.ratio", "supervision", "seed")  # keys that every arm's name reflects
PLAIN = "process"  # the supervision of the paper's arms


def is_plain(config: TrainConfig) -> bool:
    """Tell whether an arm has the paper's supervision, and `vary` names no keys but those of NAMED_ALWAYS."""
    return config.supervision.name == PLAIN and set(config.vary) <= set(NAMED_ALWAYS)


def arm_name(ratio: Any, supervision: str, seed: int, vary: Any, *, _root_: DictConfig) -> str:
    """Return an arm's name, such as `cw+1k-s2-lr_0.001`; the resolver `${arm:…}`.

    Joins with `-` the ratio's name, the supervision unless it is the paper's, the seed unless it is 0, and for each key
    of `vary` its last part and its value: the choice of a group, else the value in the config `_root_`. In parts of
    `vary`, characters unsafe in a folder's name become `_`. An invalid ratio is not refused, but put after `cw+`.
    """
    try:
        parts = [Ratio.parse(str(ratio)).arm]
    except ValueError:  # reported by load_config, under its own key
        parts = ["cw+" + str(ratio)]
    if supervision != PLAIN:
        parts.append(supervision)
    if seed:
        parts.append(f"s{seed}")
    for key in vary:
        choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
        value = choices.get(key, OmegaConf.select(_root_, key))
        named = f"{key.rpartition('.')[2]}_{name_of_value(value)}"
        parts.append(re.sub(r"[^\w.+-]", "_", named))  # safe as a folder's name and in a Hydra override
    return "-".join(parts)
