"""A study from a hostile stranger is shown, answered, evaluated, resumed and reported: nothing of it runs.

One arm is really trained. Each attack changes a copy of it, and every command that a user would try is run on that. The
attack's code would make a file; it never appears, and a planted secret is in no message and no file.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from coig.config import EvaluateConfig, GenerateConfig, TrainConfig
from coig.config.command_line import config_of
from coig.config.fields import MULTIRUN
from coig.errors import ConfigError
from coig.evaluation import evaluate
from coig.generation import generate
from coig.generation.show import main as show_answers
from coig.study.__main__ import main as study
from coig.study.arm import Arm
from coig.training.run import train
from tests.small_model import SMALL_MODEL

SECRET = "5ec2e7" * 5
MARKER = "marker"
SETTINGS = (
    *(*SMALL_MODEL, "study=s", "data.ratio=0", "data.creative.size=8", "data.validation.creative=2", "logger=none"),
    *("model.max_length=160", "trainer.global_batch_size=4", "trainer.max_epochs=1", "trainer.keep_checkpoint=true"),
)
FEW = ("study=s", "sampling.max_new_tokens=4")
QUERIES = '{"id": "zh-1", "lang": "zh", "genre": "poetry", "query": "写一首诗。"}\n'
SHAPE = "_target_: coig.data.sources.local"


class Strike:
    """An object whose unpickling makes the marker."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {MARKER}",)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which an arm was trained and has answered."""
    folder = tmp_path_factory.mktemp("stranger")
    before = Path.cwd()
    os.chdir(folder)
    Path("few.jsonl").write_text(QUERIES, encoding="utf-8")
    try:
        train(config_of("train", TrainConfig, list(SETTINGS)))
        generate(config_of("generate", GenerateConfig, [*FEW, "queries=few.jsonl"]))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def arm(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arm]:
    """Yield a copy of the arm, in the current folder; in the end there is no marker, and the secret in no file."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "evil.py").write_text(f"open({MARKER!r}, 'w')\ndef shape(row): return row\nWandbLogger = shape\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("WANDB_MODE", "offline")
    arm = Arm(MULTIRUN / "s" / "cw")
    yield arm
    assert not Path(MARKER).exists()
    assert [file for file in Path().rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()] == []


COMMANDS: dict[str, Callable[[], Any]] = {
    "list": lambda: study(["list"]),
    "show": lambda: study(["show", "s"]),
    "compare": lambda: study(["compare", "s"]),
    "answers": lambda: show_answers(["query_id=zh-1", "study=s", "queries=few.jsonl"]),
    "generate": lambda: generate(config_of("generate", GenerateConfig, [*FEW, "queries=few.jsonl", "samples=2"])),
    "held out": lambda: generate(config_of("generate", GenerateConfig, [*FEW, "queries=held_out"])),
    "evaluate": lambda: evaluate(config_of("evaluate", EvaluateConfig, ["study=s", "queries=few"])),
    "table": lambda: study(["table", "s"]),
    "resume": lambda: train(config_of("train", TrainConfig, [*SETTINGS, "resume=true", "trainer.max_epochs=2"])),
}


def refusals(*commands: str) -> dict[str, str]:
    """Run these of the commands that a user would try on a study, or all; return their refusals, each one message."""
    refused = {}
    for name in commands or COMMANDS:
        try:
            COMMANDS[name]()
        except ConfigError as error:
            refused[name] = str(error)
    for message in refused.values():
        assert SECRET not in message
        assert len(message) < 1200
    return refused


def edit(arm: Arm, old: str, new: str) -> None:
    """Replace a text in the arm's stored config."""
    text = arm.config_file.read_text(encoding="utf-8")
    assert old in text
    arm.config_file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_without_an_attack_every_command_works(arm: Arm) -> None:
    assert refusals() == {}
    assert (arm.manifest().status, arm.config().trainer.max_epochs) == ("done", 2)


def test_code_in_the_config(arm: Arm) -> None:
    """A shape, an argument and a logger of the stranger's, and a cache outside: only what would use them is refused."""
    edit(arm, SHAPE, f"_target_: evil.shape\n    extra: {{_target_: os.system, command: touch {MARKER}}}")
    edit(arm, "logger: null", "logger: {_target_: evil.WandbLogger, settings: {base_url: 'http://127.0.0.1:9'}}")
    edit(arm, "  cache:", "  cache: ../outside #")
    refused = refusals()
    # nothing was evaluated for the table, and an arm of other settings is not resumed
    assert refused.keys() == {"generate", "held out", "evaluate", "table", "resume"}
    for text in ("data.creative._target_: evil.shape is not coig's own", "trusted=[evil.shape]", "extra: is no plain"):
        assert text in refused["held out"]
    for command in ("generate", "evaluate"):
        assert "logger._target_: evil.WandbLogger is not coig's own and may run any code" in refused[command]
        assert str(arm.config_file) in refused[command]
    assert not Path("../outside").exists()


def test_a_logger_that_sends_elsewhere(arm: Arm) -> None:
    wandb = "{_target_: lightning.pytorch.loggers.WandbLogger, settings: {base_url: 'http://127.0.0.1:9'}}"
    edit(arm, "logger: null", f"logger: {wandb}")
    [message] = refusals("generate").values()
    assert "logger.settings: would decide where the results are sent" in message


def test_a_secret_of_the_environment(arm: Arm, capfd: pytest.CaptureFixture[str]) -> None:
    edit(arm, "You are a helpful assistant.", "${oc.env:SECRET}")
    refused = refusals()
    assert "is an interpolation" in refused["generate"]
    assert refused.keys() >= {"compare", "generate", "held out", "evaluate", "resume"}
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("vary: []", "vary: &a []\nmore: [*a, *a]", "alias"),
        ("study: s", "study: ../../outside", "no slashes"),
        ("arm: cw", "arm: /tmp/outside", "no slashes"),
        ("  name: process", "  name: ..", "no slashes"),
    ],
)
def test_names_that_are_paths_and_bombs(old: str, new: str, reason: str, arm: Arm) -> None:
    edit(arm, old, new)
    refused = refusals("compare", "generate", "evaluate")
    assert all(reason in message for message in refused.values())
    assert len(refused) == 3


def test_the_user_can_allow_a_shape(arm: Arm, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from coig.data.sources import local\ndef shape(row): return local(row)\n")
    edit(arm, SHAPE, "_target_: mine.shape")
    asked = [*FEW, "queries=held_out"]
    with pytest.raises(ConfigError, match=r"mine\.shape is not coig's own"):
        generate(config_of("generate", GenerateConfig, asked))
    generate(config_of("generate", GenerateConfig, [*asked, "trusted=[mine.shape]"]))
    assert (arm.folder / "generations" / "held_out.jsonl").exists()


def replace_checkpoint(arm: Arm, write: Callable[[Path], None]) -> None:
    """Put a hostile checkpoint in the place of the arm's own."""
    [checkpoint] = arm.folder.glob("checkpoints/*.ckpt")
    checkpoint.unlink()
    write(checkpoint)


def write_metadata(folder: Path) -> None:
    """Write a sharded checkpoint whose `.metadata` runs code when it is unpickled."""
    folder.mkdir()
    (folder / ".metadata").write_bytes(pickle.dumps(Strike()))
    torch.save({}, folder / "meta.pt")


def write_rest(folder: Path) -> None:
    """Write a sharded checkpoint of no tensors whose rest runs code."""
    from torch.distributed.checkpoint.state_dict_saver import save

    save({}, checkpoint_id=folder, no_dist=True)
    torch.save({"epoch": Strike()}, folder / "meta.pt")


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda file: torch.save({"state_dict": Strike()}, file), "holds more than tensors and plain values"),
        (write_metadata, r"names posix.system, which no checkpoint needs"),
        (write_rest, "holds more than tensors and plain values"),
    ],
    ids=["a file", "the metadata of a folder", "the rest of a folder"],
)
def test_a_hostile_checkpoint(write: Callable[[Path], None], reason: str, arm: Arm) -> None:
    replace_checkpoint(arm, write)
    [message] = refusals("resume").values()
    assert reason in message
    assert arm.manifest().status == "done"  # refused before anything was written
    assert arm.generations("few").exists()


def change_json(file: Path, **facts: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | facts), encoding="utf-8")


def test_a_model_that_brings_code(arm: Arm) -> None:
    classes = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model", "AutoTokenizer": ["evil.shape", None]}
    shutil.copy("evil.py", arm.model / "evil.py")
    for name in ("config.json", "tokenizer_config.json"):
        change_json(arm.model / name, auto_map=classes)
    change_json(arm.model / "config.json", model_type="evil")
    refused = refusals("generate")
    assert "code of its own, which coig never runs" in refused["generate"]


def test_a_model_that_asks_for_a_kernel_of_the_hub(arm: Arm) -> None:
    change_json(arm.model / "config.json", attn_implementation="evil/kernel")
    assert "asks for code of the hub, evil/kernel" in refusals("generate")["generate"]


def test_weights_as_a_pickle(arm: Arm) -> None:
    (arm.model / "model.safetensors").unlink()
    torch.save(Strike(), arm.model / "pytorch_model.bin")
    assert f"{arm.model}: missing or damaged" in refusals("generate")["generate"]


def test_a_run_of_wandb_with_a_path_for_an_id(arm: Arm) -> None:
    """A resumed run deletes the earlier offline files of its id."""
    change_json(arm.folder / "manifest.json", wandb_run="../../../outside")
    refused = refusals("show", "generate", "evaluate", "resume")
    assert len(refused) == 4
    assert all("manifest.json: damaged (wandb_run: " in message for message in refused.values())
