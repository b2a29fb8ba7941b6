"""publish: the model and a card made of its manifest, sent by the hub's client to a hub on this machine."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml

from coig.config.composition import CONF
from coig.errors import ConfigError
from coig.study.__main__ import main
from coig.study.arm import Arm
from coig.study.card import find_licences, find_origins, write_card
from coig.study.points import list_points
from coig.study.results import FILE, MEASURES, OF_POINTS
from tests.conftest import ROOT, outside
from tests.forked import PATIENCE, Forked
from tests.servers import Handler, Server, serving
from tests.small_model import SMALL_MODEL
from tests.studies import compose_config, make_arm, make_group


class Hub(Handler):
    """The part of the hub's API that an upload needs: it makes a repository, and keeps the files of a commit."""

    files: dict[str, bytes]
    visibility: str | None  # of the repository; None before it is made

    def do_GET(self) -> None:
        """Describe the repository, or say that nothing is there yet."""
        if self.path.startswith("/api/models/me/writer") and self.visibility:
            self.answer({"id": "me/writer", "private": self.visibility == "private", "siblings": []})
        else:
            self.answer({"error": "not found"}, 404)

    def do_POST(self) -> None:
        """Make a repository, say how files are to be sent, or keep them."""
        body = self.read()
        if self.path == "/api/repos/create" and self.visibility:
            self.answer({"error": "it exists", "url": f"http://{self.headers['Host']}/me/writer"}, 409)
        elif self.path == "/api/repos/create":
            type(self).visibility = json.loads(body)["visibility"]
            self.answer({"url": f"http://{self.headers['Host']}/me/writer"})
        elif self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            self.answer(
                {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]}
            )
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer(
                {
                    "success": True,
                    "commitOid": "0" * 40,
                    "commitUrl": f"http://{self.headers['Host']}/me/writer/commit/{'0' * 40}",
                }
            )
        else:
            self.answer({"error": self.path}, 404)


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub that runs as long as the test."""
    Hub.files, Hub.visibility = {}, None
    with serving(Server(Hub)) as server:
        yield server.address


@pytest.fixture
def arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arm:
    """An arm of the paper's data, with an exported model."""
    monkeypatch.chdir(tmp_path)
    groups = [make_group(source="coig_writer", examples=1665), make_group("general", 7, lang="en", source="mine")]
    made = make_arm(
        Path("multirun/s/cw+10k"),
        "data=coig_writer",
        "model=qwen2.5-7b-instruct",
        ratio="10k",
        data={"train": groups, "truncated": 3, "sources": [{"pool": "data.creative", "also_queries": 2}]},
    )
    made.model.mkdir()
    (made.model / "config.json").write_text("{}")
    (made.model / "model.safetensors").write_bytes(b"weights")
    made.write_manifest(made.manifest().model_copy(update={"model_sha256": made.weights_sha256()}))
    return made


def publish(folder: Path, address: str, what: str = "s/cw+10k") -> subprocess.CompletedProcess[str]:
    online = {
        "HF_ENDPOINT": address,
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "hf_" + "a" * 30,
        "HF_HOME": str(folder / "hf"),
    }
    command = [sys.executable, "-m", "coig.study", "publish", what, "me/writer"]
    environment = (
        outside() | online | {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "hf")}
    )
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)


def test_the_hub_gets_the_model_and_its_card(arm: Arm, hub: str, tmp_path: Path) -> None:
    run = publish(tmp_path, hub)
    assert run.returncode == 0, run.stderr
    assert "private; read the card" in run.stdout
    assert Hub.visibility == "private"
    assert Hub.files.keys() == {"README.md", "config.json", "model.safetensors"}
    assert Hub.files["model.safetensors"] == b"weights"
    assert Hub.files["README.md"].decode() == write_card(arm)


def test_a_point_is_published_as_what_it_is(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = ("data.creative.size=8", "data.validation.general=1", "model.max_length=160", "trainer.max_steps=4")
    settings = ("study=s", "data.ratio=0", "trainer.global_batch_size=2", "trainer.answer_at=[0.5]", "logger=none")
    trained = Forked("train.py", [*settings, *short, *SMALL_MODEL], tmp_path, outside()).wait()
    assert trained.returncode == 0, trained.stderr
    arm = Arm(Path("multirun/s/cw"))
    [point] = list_points(arm)
    evaluation = arm.study_folder / FILE.parent
    evaluation.mkdir()
    row = {"lang": "zh", "measure": "tokens", "n": 51}
    for file, name, value in ((FILE, "cw", 7.0), (OF_POINTS, "cw@0.5", 9.0)):
        pl.DataFrame([row | {"arm": name, "value": value}], schema=MEASURES).write_parquet(arm.study_folder / file)
    run = publish(tmp_path, hub, "s/cw@0.5")
    assert run.returncode == 0, run.stderr
    assert Hub.files["model.safetensors"] == (point.model / "model.safetensors").read_bytes()
    assert Hub.files["model.safetensors"] != (arm.model / "model.safetensors").read_bytes()
    card = Hub.files["README.md"].decode()
    assert "# s/cw@0.5\n" in card
    learned = f"when it had learned {point.facts.supervised_tokens:,} supervised tokens"
    assert f"what `s/cw` was after the share 0.5 (step 2 of 4) of its steps, {learned}" in card
    assert f"sha256 of the weights: `{point.weights_sha256()}`" in card
    assert "| zh | tokens | 9.00 | – | 51 |" in card
    assert "7.00" not in card
    assert "not the end of its training" not in write_card(arm)
    (point.model / "model.safetensors").write_bytes((arm.model / "model.safetensors").read_bytes())
    with pytest.raises(ConfigError, match=r"step-00000002/model: missing or damaged: its weights are not those"):
        main(["publish", "s/cw@0.5", "me/writer"])


def test_a_public_repository_gets_nothing(arm: Arm, hub: str, tmp_path: Path) -> None:
    Hub.visibility = "public"
    run = publish(tmp_path, hub)
    assert run.returncode == 1
    assert "publish me/writer: this repository is public" in run.stderr
    assert Hub.files == {}


def test_damaged_weights_are_not_published(arm: Arm) -> None:
    (arm.model / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(ConfigError, match="its weights are not those that were trained"):
        main(["publish", "s/cw+10k", "me/writer"])


def test_a_hub_that_refuses_is_one_message(arm: Arm, tmp_path: Path) -> None:
    run = publish(tmp_path, "http://127.0.0.1:9")
    assert run.returncode == 1
    assert "publish me/writer: was not uploaded (" in run.stderr
    assert "Traceback" not in run.stderr


def test_the_card_says_what_the_manifest_says(arm: Arm) -> None:
    text = write_card(arm)
    _, head, body = text.split("---\n", 2)
    about = yaml.safe_load(head)
    assert (about["base_model"], about["language"]) == ("Qwen/Qwen2.5-7B-Instruct", ["en", "zh"])
    assert "| creative | zh | coig_writer | m-a-p/COIG-Writer on the hub | ODC-BY | 1,665 | 16,650 |" in body
    assert "| general | en | mine | not recorded | not recorded | 7 | 70 |" in body
    assert "Contamination: 2 creative prompts are test queries too." in body
    assert "- 3 examples were cut" in body
    assert f"sha256 of the weights: `{arm.weights_sha256()}`" in body
    assert "## Measured\n\nNothing." in body
    assert "- its answers: it has answered no queries" in body
    assert "whether people like what it writes" in body


@pytest.mark.parametrize("data", ["sample", "coig_writer"])
def test_licences_are_of_the_files_that_are_read(data: str) -> None:
    given = find_licences(compose_config(f"data={data}"))
    published = {"coig_writer": "ODC-BY", "r1_distill_zh": "Apache-2.0", "openthoughts": "Apache-2.0"}
    sample = dict.fromkeys(("creative", "general_zh", "general_en"), "Apache-2.0")
    assert given == (published if data == "coig_writer" else sample)


@pytest.mark.parametrize("source", sorted(file.stem for file in (CONF / "source").iterdir()))
def test_a_file_of_ones_own_has_no_licence_but_the_one_that_is_named(source: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.touch()
    for place in ("data.creative", "data.general.zh"):
        own = (f"source@{place}={source}", f"{place}.lang=zh", f"{place}.path='{mine}'", f"{place}.name=mine")
        assert find_licences(compose_config(*own))["mine"] is None
        assert find_licences(compose_config(*own, f"{place}.licence=CC0-1.0"))["mine"] == "CC0-1.0"


def test_a_file_in_the_place_of_a_published_one_is_named(tmp_path: Path) -> None:
    """The source keeps its name, as it does for a copy of the published file."""
    (tmp_path / "mine.jsonl").touch()
    own = compose_config("data=coig_writer", f"data.creative.path={tmp_path}/mine.jsonl")
    assert find_origins(own)["coig_writer"] == "local file mine.jsonl"
    assert set(find_origins(compose_config("data=sample")).values()) == {"embedded sample"}


def test_the_card_has_the_last_evaluation(arm: Arm) -> None:
    row = {"lang": "zh", "arm": "cw+10k", "measure": "contaminated", "value": 0.25, "low": 0.2, "high": 0.3, "n": 104}
    (arm.folder.parent / FILE).parent.mkdir()
    pl.DataFrame([row, row | {"arm": "cw"}], schema=MEASURES).write_parquet(arm.folder.parent / FILE)
    text = write_card(arm)
    assert text.count("| zh | contaminated | 0.250 | [0.200, 0.300] | 104 |") == 1
    assert "Nothing." not in text
    assert "- whether what it writes repeats a text" in text
    pl.DataFrame([row | {"measure": "copied"}], schema=MEASURES).write_parquet(arm.folder.parent / FILE)
    assert "repeats a text" not in write_card(arm)
    (arm.folder.parent / FILE).write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"measures\.parquet: damaged"):
        write_card(arm)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["s", "me/writer"], "give an arm and a repository"),
        (["s/cw+10k", "writer"], "give an arm and a repository"),
        (["s/cw+10k"], "give an arm and a repository"),
        (["s/cw", "me/writer"], r"cw is no arm of study s"),
    ],
)
def test_what_cannot_be_published(arm: Arm, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main(["publish", *arguments])


def test_an_arm_that_is_not_done_is_not_published(arm: Arm) -> None:
    arm.write_manifest(arm.manifest().model_copy(update={"status": "running"}))
    with pytest.raises(ConfigError, match="has no model, or its training is not done; train it first"):
        main(["publish", "s/cw+10k", "me/writer"])
