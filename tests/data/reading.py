"""Reading a source in a test as the mixture does."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from coig.config import Data, Source
from coig.config.composition import CONF
from coig.config.loading import load_config
from coig.data.examples import Example
from coig.data.mixture import Mixture
from coig.data.pools import Pool, open_pool


def written(file: Path, rows: list[Any]) -> str:
    """Write rows as lines of JSON; return the file's path."""
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def about(mixture: Mixture, pool: str) -> dict[str, Any]:
    """What a mixture tells of one of its pools."""
    return next(source for source in mixture.sources if source["pool"] == pool)


@cache
def composed(name: str, *overrides: str) -> DictConfig:
    """A config that Hydra composes; composing takes 0.2 s, so each is composed once."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose(name, overrides=list(overrides))


def data_config(**changes: Any) -> Data:
    """`conf/data`, the sample's unless `data` says another; `creative__path` stands for creative.path."""
    cfg = deepcopy(composed("train", f"data={changes.pop('data', 'sample')}"))
    for key, value in changes.items():
        OmegaConf.update(cfg, f"data.{key.replace('__', '.')}", value)
    return load_config(cfg).data


def pool(path: str, source: str = "local", limit: float = 0.01, **changes: Any) -> Pool:
    """The pool of a file, read as `conf/source/<source>` says."""
    cfg = composed(f"source/{source}")["source"]
    changed: dict[Any, Any] = {"path": path, **changes}
    plain = OmegaConf.to_container(OmegaConf.merge(cfg, changed))
    data = data_config(max_quarantined=limit)
    return open_pool(Source.model_validate(plain), "creative", "zh", "data.creative", data)


def read(path: str, source: str = "local", **changes: Any) -> list[Example]:
    """The examples of a file."""
    opened = pool(path, source, **changes)
    return list(opened.examples(range(opened.about["rows"] - opened.quarantined)))
