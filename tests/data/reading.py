"""Reading a source in a test as the mixture does."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from coig.config import Data, Source
from coig.config.command_line import CONF
from coig.config.loading import load_config
from coig.data.examples import Example
from coig.data.pools import Pool, open_pool


def data_config(**changes: Any) -> Data:
    """`conf/data`, the sample's unless `data` says another; `creative__path` stands for creative.path."""
    choice = changes.pop("data", "sample")
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=[f"data={choice}"])
        for key, value in changes.items():
            OmegaConf.update(cfg, f"data.{key.replace('__', '.')}", value)
        return load_config(cfg).data


def pool(path: str, source: str = "local", limit: float = 0.01, **changes: Any) -> Pool:
    """The pool of a file, read as `conf/source/<source>` says."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose(f"source/{source}")["source"]
    changed: dict[Any, Any] = {"path": path, **changes}
    plain = OmegaConf.to_container(OmegaConf.merge(cfg, changed))
    data = data_config(max_quarantined=limit)
    return open_pool(Source.model_validate(plain), "creative", "zh", "data.creative", data)


def read(path: str, source: str = "local", **changes: Any) -> list[Example]:
    """The examples of a file."""
    opened = pool(path, source, **changes)
    return list(opened.examples(range(opened.about["rows"] - opened.quarantined)))
