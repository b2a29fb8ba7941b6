"""Every YAML file under conf/ composes into a valid config."""

from itertools import zip_longest
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from coig.config import AnnotateConfig, CurateConfig, EvaluateConfig, GenerateConfig, JudgeConfig, Node, TrainConfig
from coig.config.command_line import config_of
from coig.config.composition import CONF
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


def batches() -> list[list[Path]]:
    """Put choices of independent groups together, because composing a config is slow.

    Experiments choose from other groups themselves, and what data a user's own file needs excludes other sources.
    """
    groups: dict[str, list[Path]] = {}
    for choice in CHOICES:
        groups.setdefault(str(choice.parent), []).append(choice)
    alone = [[choice] for group in ("experiment", "data") for choice in groups.pop(group)]
    roots: dict[str, list[list[Path]]] = {}
    for group, choices in groups.items():
        roots.setdefault(GROUPS.get(group, "train"), []).append(choices)
    rows = [row for of_root in roots.values() for row in zip_longest(*of_root)]
    return [*alone, *([choice for choice in row if choice] for row in rows)]


@pytest.mark.parametrize("choices", batches(), ids=lambda choices: "+".join(map(str, choices)))
def test_choices_are_sound(choices: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "triplets.jsonl"
    file.write_text('{"query": "q", "thought": "t", "answer": "a"}\n')
    overrides = [f"{choice.parent}{PACKAGES.get(str(choice.parent), '')}={choice.stem}" for choice in choices]
    if choices == [Path("data/local.yaml")]:  # it needs a file of the user
        overrides += [f"data.creative.path={file}", "data.ratio=0"]
    root = GROUPS.get(str(choices[0].parent), "train")
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
