"""An arm's name, made of its ratio and whatever else differs or varies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from coig.config import TrainConfig
from coig.config.ratio import Ratio


def shown(value: Any) -> str:
    """A value as arms' names have it: the last part of a path, a list's items, a node by its name."""
    if isinstance(value, Mapping):
        return shown(value.get("name") or value.get("path") or value.get("_target_"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "+".join(map(shown, value))
    return "null" if value is None else str(value).rpartition("/")[2]


NAMED_ALWAYS = ("data.ratio", "supervision", "seed")  # what every arm's name tells
PLAIN = "process"  # the supervision of the paper's arms


def is_plain(config: TrainConfig) -> bool:
    """Tell whether an arm differs from the paper's in nothing but its ratio and seed, as far as its study varies it."""
    return config.supervision.name == PLAIN and set(config.vary) <= set(NAMED_ALWAYS)


def arm_name(ratio: Any, supervision: str, seed: int, vary: Any, *, _root_: DictConfig) -> str:
    """The resolver `${arm:…}`: the ratio's name, then whatever differs from the paper's five arms or varies."""
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
        named = f"{key.rpartition('.')[2]}_{shown(value)}"
        parts.append(re.sub(r"[^\w.+-]", "_", named))  # a plain word for folders and for Hydra
    return "-".join(parts)
