"""No name becomes a path that leads out of a study, wherever a name becomes a path."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import Metadata, MetadataIndex, StorageMeta

from coig.config import AnnotateConfig, CurateConfig, EvaluateConfig, GenerateConfig, JudgeConfig, Node, TrainConfig
from coig.config.command_line import config_of
from coig.errors import ConfigError
from coig.evaluation.report.judge_cards import make_file_name
from coig.study.__main__ import main as study
from coig.study.manifest import Manifest
from coig.study.raters import PSEUDONYM, make_pseudonym
from coig.training.sharded_files import read_metadata
from tests.studies import make_arm, make_manifest

HOSTILE = ("..", ".", "", "../outside", "a/../../outside", "/tmp/outside", "..\\outside", "a\0b", "a\nb", "写" * 90)
KEYS: list[tuple[type[Node], str, str]] = [
    (TrainConfig, "train", "study"),
    (TrainConfig, "train", "arm"),
    (TrainConfig, "train", "supervision.name"),
    (TrainConfig, "train", "data.creative.name"),
    (GenerateConfig, "generate", "study"),
    (EvaluateConfig, "evaluate", "study"),
    (EvaluateConfig, "evaluate", "queries"),
    (JudgeConfig, "judge", "study"),
    (JudgeConfig, "judge", "name"),
    (JudgeConfig, "judge", "queries"),
    (AnnotateConfig, "annotate", "study"),
    (CurateConfig, "curate", "name"),
]
REQUIRED = {"annotate": ["study=s"], "curate": ["name=c"]}  # keys without a default


@cache
def load_sound_config(schema: type[Node], root: str) -> Node:
    return config_of(root, schema, REQUIRED.get(root, []))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("schema", "root", "key"), KEYS, ids=lambda value: str(value)[-20:])
def test_a_config_refuses_it(schema: type[Node], root: str, key: str, name: str) -> None:
    plain = load_sound_config(schema, root).model_dump(by_alias=True)
    *parents, last = key.split(".")
    node: Any = plain
    for parent in parents:
        node = node[parent]
    node[last] = name
    with pytest.raises(ValidationError, match="is used as a folder's name"):
        schema.model_validate(plain)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("command", ["show", "compare", "rm", "register"])
def test_a_command_refuses_it(command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    make_arm(work / "multirun" / "s" / "cw")
    make_arm(tmp_path / "outside" / "cw")  # a study, beside the folder that one works in
    monkeypatch.chdir(work)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError):
        study([command, name, *(["plan.yaml"] if command == "register" else [])])
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [*HOSTILE, "*", "a b"])
def test_the_manifest_refuses_it_for_a_run_of_wandb(name: str) -> None:
    facts = make_manifest("cw").model_dump() | {"wandb_run": name}
    with pytest.raises(ValidationError, match="wandb_run"):
        Manifest.model_validate(facts)


@pytest.mark.parametrize("name", HOSTILE)
def test_raters_and_judges_get_names_of_files(name: str, tmp_path: Path) -> None:
    assert PSEUDONYM.fullmatch(make_pseudonym(name, tmp_path))
    made = make_file_name(name)
    assert (tmp_path / "judges" / f"{made}.json").resolve().parent == tmp_path / "judges"
    assert len(f"{made}.json".encode()) < 255


def test_judges_of_similar_names_get_different_files() -> None:
    assert len({make_file_name(name) for name in ("a/b", "a b", "a-b", "a\\b")}) == 4
    assert make_file_name("qwen2.5-7b+pairs") == "qwen2.5-7b+pairs"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sharded_checkpoint_refuses_it(name: str, tmp_path: Path) -> None:
    stored = {MetadataIndex("a"): _StorageInfo(name, 0, 1)}
    (tmp_path / ".metadata").write_bytes(pickle.dumps(Metadata({}, storage_data=stored, storage_meta=StorageMeta())))
    with pytest.raises(ConfigError, match="names a file"):
        read_metadata(tmp_path)
