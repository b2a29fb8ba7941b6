"""Make an arm's name from its ratio and from the settings in which it differs from the paper's arms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
UNSAFE = r"[^\w.+-]"  # in a folder's name or a Hydra override
SHORT_KEYS = {  # long last parts of keys that sweeps often vary, and what readers call them
    "learning_rate": "lr",
    "global_batch_size": "batch",
    "max_epochs": "epochs",
    "max_steps": "steps",
}


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
        parts.append(f"{_last_part(key)}_{re.sub(UNSAFE, '_', name_of_value(value))}")
    return "-".join(parts)


def shorten_name(name: str, vary: Iterable[str]) -> str:
    """Return an arm's name with its settings as readers write them: `cw+1k lr=0.001` for `cw+1k-learning_rate_0.001`.

    The settings are those of the keys `vary`; a key of SHORT_KEYS is written shorter. Other parts stay as they are.
    """
    keys = sorted({_last_part(key) for key in vary}, key=len, reverse=True)  # one key may begin with another
    if not keys:
        return name
    return re.sub(f"-({'|'.join(map(re.escape, keys))})_", lambda found: f" {_short_key(found[1])}=", name)


def shorten_setting(setting: str, vary: Iterable[str]) -> str:
    """Return settings of the keys `vary` as `shorten_name` writes them: `lr=0.001` for `model.learning_rate 0.001`.

    `setting` is a list of a key and its value each, joined with ", ".
    """
    for key in vary:
        setting = re.sub(rf"(^|, ){re.escape(key)} ", rf"\1{_short_key(_last_part(key))}=", setting)
    return setting


def _last_part(key: str) -> str:
    """Return the last part of a dotted key as an arm's name has it: `learning_rate` for `model.learning_rate`."""
    return re.sub(UNSAFE, "_", key.rpartition(".")[2])


def _short_key(last_part: str) -> str:
    """Return what readers call a key, from its last part."""
    return SHORT_KEYS.get(last_part, last_part)
