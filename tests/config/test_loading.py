from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from coig.config.composition import compose_job, composing
from coig.config.loading import load_config
from coig.errors import ConfigError


@pytest.fixture
def cfg() -> DictConfig:
    with composing():
        return compose_job("train", [])


def problems_of(cfg: DictConfig) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(cfg)
    return str(error.value)


def test_every_problem_is_listed_at_once(cfg: DictConfig) -> None:
    cfg.data.ratio = "50%"
    cfg.seed = -1
    cfg.data.creative.path = "/nowhere/triplets.json"
    cfg.model.max_length = 0
    with open_dict(cfg):
        cfg.data.rato = "1k"
        del cfg.optimizer["_target_"]
    message = problems_of(cfg)
    assert message.startswith("The configuration has 6 problems:")
    assert "data.rato: unknown key; did you mean 'ratio'?" in message
    assert "data.ratio='50%': is a percentage: give a count per language" in message
    assert "data.creative.path='/nowhere/triplets.json': no such file or folder (looked in /nowhere)" in message
    assert "optimizer._target_: missing; name the constructor's dotted path" in message
    assert "model.max_length=0: input should be greater than 0" in message
    assert "seed=-1: input should be greater than or equal to 0" in message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("optimizer._target_", "no_such_package.Adam", "package 'no_such_package' is not installed"),
        ("data.overlong", "cut", "data.overlong='cut': choose from 'truncate', 'drop' or 'error'"),
        ("data.scale", 0, "data.scale=0: input should be greater than 0"),
        ("data.max_quarantined", 1, "data.max_quarantined=1: input should be less than 1"),
        ("data.creative.size", 0, "data.creative.size=0: input should be greater than 0"),
        ("data.general.zh.filters.min_language_share", 2, "min_language_share=2: input should be less than or equal"),
        ("data.general.en.path", "/nowhere/*.jsonl", "no file has a name of this pattern"),
        ("data.language_weights.zh", 0, "data.language_weights.zh=0: input should be greater than 0"),
        (
            "data.creative.columns",
            {"question": "prompt"},
            "columns.question='question': choose from 'id'",
        ),
        ("data.scale", 1e-6, "ratio 10k with scale 1e-06 leaves no general example"),
        ("model.path", "/nowhere/model", "model.path='/nowhere/model': no such file or folder"),
        ("data.creative.path", "???", "data.creative.path: not set; give data.creative.path=<value>"),
        ("data.scale", float("inf"), "data.scale=inf"),
        ("seed", 2**32, "seed=4294967296: input should be less than"),
        ("study", "s" * 101, "at most 100 characters"),
        ("trainer.devices", 2, "trainer: 2 devices need a strategy: trainer.strategy=fsdp or ddp"),
        ("study", "a/b", "study='a/b': is used as a folder's name"),
    ],
)
def test_one_problem(cfg: DictConfig, key: str, value: object, message: str) -> None:
    OmegaConf.update(cfg, key, value, force_add=True)
    assert message in problems_of(cfg)


def test_a_logger_without_target_is_not_skipped(cfg: DictConfig) -> None:
    with open_dict(cfg):
        cfg.logger = {"project": "coig"}
    assert "logger._target_: missing" in problems_of(cfg)


def test_a_target_without_loss_is_refused(cfg: DictConfig) -> None:
    cfg.supervision.weights = {"prompt": 0, "reasoning": 0, "answer": 0}
    assert "no segment of the target has a weight" in problems_of(cfg)


def test_general_data_must_be_configured_for_a_ratio(cfg: DictConfig, tmp_path: Path) -> None:
    cfg.data.general.zh.path = cfg.data.general.en.path = None
    assert "ratio 10k (the default) asks for general data" in problems_of(cfg)
    cfg.data.ratio = "0"
    assert load_config(cfg).data.pools == {}
