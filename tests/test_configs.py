"""Every YAML file under conf/ composes into a valid config."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from coig.config import AnnotateConfig, CurateConfig, EvaluateConfig, GenerateConfig, JudgeConfig, Node, TrainConfig
from coig.config.command_line import CONF, config_of
from coig.config.loading import load_config

ROOTS: dict[str, type[Node]] = {
    "train": TrainConfig,
    "generate": GenerateConfig,
    "annotate": AnnotateConfig,
    "curate": CurateConfig,
    "judge": JudgeConfig,
    "evaluate": EvaluateConfig,
}
GROUPS = {"engine": "generate", "sampling": "generate", "protocol": "annotate", "judge": "judge"}
CHOICES = sorted(file.relative_to(CONF) for file in CONF.glob("*/*.yaml") if file.parent.name != "hydra")
PACKAGES = {"source": "@data.validation.source"}  # the place to which a choice of the group belongs


def composed(root: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose(root, overrides=list(overrides))


@pytest.mark.parametrize("root", ROOTS)
def test_root_config_is_sound(root: str) -> None:
    assert isinstance(load_config(composed(root), ROOTS[root]), ROOTS[root])


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_choice_is_sound(choice: Path, tmp_path: Path) -> None:
    file = tmp_path / "triplets.jsonl"
    file.write_text('{"query": "q", "thought": "t", "answer": "a"}\n')
    overrides = [f"{choice.parent}{PACKAGES.get(str(choice.parent), '')}={choice.stem}"]
    if choice == Path("data/local.yaml"):  # it needs a file of the user
        overrides += [f"data.creative.path={file}", "data.ratio=0"]
    root = GROUPS.get(str(choice.parent), "train")
    assert isinstance(load_config(composed(root, *overrides), ROOTS[root]), ROOTS[root])


def test_every_group_is_covered() -> None:
    assert {str(choice.parent) for choice in CHOICES} >= {
        "data",
        "model",
        "optimizer",
        "experiment",
        "engine",
        "source",
    }


def compose_in_cli(*overrides: str) -> str:
    return config_of("train", TrainConfig, list(overrides)).arm


@pytest.mark.parametrize(
    ("overrides", "arm"),
    [
        (["data.ratio=0"], "cw"),
        (["data.ratio=1000"], "cw+1k"),
        (["data.ratio=general"], "general"),
        (["data.ratio=10k", "supervision=outcome"], "cw+10k-outcome"),
        (["data.ratio=10k", "seed=1"], "cw+10k-s1"),
        (["data.ratio=0", "optimizer.lr=1e-4", "vary=[optimizer.lr]"], "cw-lr_0.0001"),
        (["data.ratio=0", "data.cache=/a/long/way", "vary=[data.cache]"], "cw-cache_way"),
        (["data.ratio=0", "model=tiny", "vary=[model]"], "cw-model_tiny"),
        (["data.ratio=0", "logger=none", "vary=[logger]"], "cw-logger_none"),
        (["data.ratio=0", "model.system_prompt=null", "vary=[model.system_prompt]"], "cw-system_prompt_null"),
        (
            ["data.ratio=1k", "source@data.general.en=gsm8k", "vary=[source@data.general.en]"],
            "cw+1k-en_gsm8k",
        ),
        (["data.ratio=0", "scheduler=cosine", "vary=[scheduler,seed]"], "cw-scheduler_cosine-seed_0"),
    ],
)
def test_arm_names(overrides: list[str], arm: str) -> None:
    assert compose_in_cli(*overrides) == arm
