"""generate.py asks the points of an arm, too, by their own weights and under names of their own."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from coig.config import GenerateConfig
from coig.config.command_line import config_of
from coig.errors import ConfigError
from coig.generation import generate
from coig.generation.openai import OpenAIEngine
from coig.study.arm import Arm
from coig.study.points import Point, list_points
from tests.generation.asking import GREEDY
from tests.llm.stub_server import completion, server


@pytest.fixture
def here(arm: Arm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arm:
    """The arm in a study of its own, below the working directory, with a point that has other weights."""
    shutil.copytree(arm.folder.parent, tmp_path / "multirun" / "s")
    monkeypatch.chdir(tmp_path)
    own = Arm(Path("multirun") / "s" / "cw")
    shutil.copytree(own.model, own.point_of(3) / "model")
    file = own.point_of(3) / "model" / "model.safetensors"
    weights = {
        name: weight + 0.1 if name == "model.norm.weight" else weight for name, weight in load_file(file).items()
    }
    save_file(weights, file, {"format": "pt"})
    manifest = own.manifest().model_copy(update={"model_sha256": own.weights_sha256()})
    facts = {"share": 0.5, "step": 3, "supervised_tokens": 9}
    own.write_manifest(type(manifest).model_validate(manifest.model_dump() | {"points": [facts]}))
    hashed = facts | {"model_sha256": list_points(own)[0].weights_sha256()}
    own.write_manifest(type(manifest).model_validate(manifest.model_dump() | {"points": [hashed]}))
    return own


@cache  # composing a config is slow
def config(*overrides: str) -> GenerateConfig:
    return config_of("generate", GenerateConfig, ["per_genre=1", "sampling.max_new_tokens=4", *overrides])


def point_of(arm: Arm) -> Point:
    [point] = list_points(arm)
    return point


def test_an_arm_and_its_point_answer_by_their_own_weights(here: Arm) -> None:
    point = point_of(here)
    generate(config("arms=['cw@0.5']"))
    assert not here.generations("sample").exists()
    before = point.generations("sample").read_bytes()
    generate(config())
    assert point.generations("sample").read_bytes() == before
    for one in (here, point):
        answers = one.answers("sample")
        assert {(answer.arm, answer.model) for answer in answers} == {(one.name, one.weights_sha256())}
    assert len(point.answers("sample")) == len(here.answers("sample"))
    point.generations("sample").unlink()
    file = point.model / "model.safetensors"
    shutil.copy(here.model / "model.safetensors", file)
    with pytest.raises(ConfigError, match=r"step-00000003/model: missing or damaged: its weights are not those"):
        generate(config())


def test_one_model_of_a_server_is_not_asked_for_points(here: Arm, caplog: pytest.LogCaptureFixture) -> None:
    server = ("engine=openai", "engine.base_url=http://127.0.0.1:9/v1", "engine.retries=0")
    with pytest.raises(ConfigError):  # nobody answers there
        generate(config(*server, "engine.model=mine"))
    assert "engine.model=mine: points are not asked; engine.model='{arm}' asks each" in caplog.text


def test_a_server_of_another_export_of_the_arm_is_refused(here: Arm) -> None:
    tokenizer = AutoTokenizer.from_pretrained(here.model)

    def load(export: str) -> None:
        with server(["name"], lambda _: completion("late"), owned_by="vllm", root=f"/else/s/{export}/model") as url:
            OpenAIEngine(url, "vllm", "name", 4, 60, 0).load(point_of(here), tokenizer, GREEDY, 0)

    load("cw/points/step-00000003")
    for other in ("cw", "cw/points/step-00000009"):
        with pytest.raises(ConfigError, match=f"is the export of {other}, not of cw@0.5"):
            load(other)
