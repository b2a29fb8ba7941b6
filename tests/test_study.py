import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from coig.cli import CONF
from coig.config import ConfigError, load_config
from coig.schema import TrainConfig
from coig.study import Arm, atomic_folder, find_arms, find_done_arms, find_study, write_atomic


def config(*overrides: str) -> TrainConfig:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return load_config(compose("train", overrides=list(overrides)))


DONE = {"status": "done", "data": {"fingerprint": "f"}}


def checkpoint_of(arm: Arm) -> Path:
    return arm.checkpoint_of(step=7)


def trained(folder: Path, settings: TrainConfig, status: str = "done", fingerprint: str = "f") -> Arm:
    arm = Arm(folder)
    arm.write_settings(settings)
    arm.write_manifest({"status": status, "data": {"fingerprint": fingerprint}})
    checkpoint_of(arm).parent.mkdir()
    with zipfile.ZipFile(checkpoint_of(arm), "w"):
        pass
    if status == "done":
        arm.model.mkdir()
    return arm


def test_a_done_arm_is_left_alone_and_a_broken_one_continued(tmp_path: Path) -> None:
    assert Arm(tmp_path / "cw").state(config(), "f") == "new"
    assert trained(tmp_path / "cw", config()).state(config(), "f") == "done"
    assert trained(tmp_path / "cw+1k", config(), "running").state(config(), "f") == "unfinished"
    failed = trained(tmp_path / "cw+5k", config(), "failed")
    assert failed.state(config(), "f") == "unfinished"
    checkpoint_of(failed).unlink()
    assert failed.state(config("model.learning_rate=0.5"), "other") == "new"  # nothing to lose


def test_what_does_not_bear_on_results_may_change(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", config())
    assert arm.state(config("logger=none", "trainer.tokens_per_micro_batch=512"), "f") == "done"


def test_the_last_checkpoint_counts(tmp_path: Path) -> None:
    """A kill between two renames leaves the one before it, too."""
    arm = trained(tmp_path / "cw", config(), "running")
    sharded = arm.checkpoint_of(step=12)
    sharded.mkdir()
    assert arm.checkpoint == sharded
    with pytest.raises(ConfigError, match="damaged"):
        arm.state(config(), "f")
    (sharded / ".metadata").touch()
    assert arm.state(config(), "f") == "unfinished"


def test_damaged_folders_are_named_with_the_remedy(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", config(), "running")
    with zipfile.ZipFile(checkpoint_of(arm), "w") as parts:
        parts.writestr("weights", b"whole")
    for damaged in (b"half", checkpoint_of(arm).read_bytes().replace(b"whole", b"whale")):
        checkpoint_of(arm).write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"step-00000007\.ckpt: damaged; overwrite=true"):
            arm.state(config(), "f")
    arm.write_manifest(DONE)
    (arm.folder / "config.yaml").unlink()
    checkpoint_of(arm).unlink()
    with pytest.raises(ConfigError, match=r"config\.yaml: missing or damaged .*; overwrite=true"):
        arm.state(config(), "f")
    for content in ("[]", "{", '{"status": "done"}'):
        (arm.folder / "manifest.json").write_text(content)
        with pytest.raises(ConfigError, match=r"manifest\.json: damaged .*; overwrite=true"):
            arm.state(config(), "f")
    (arm.folder / "manifest.json").unlink()
    arm.model.mkdir()
    with pytest.raises(ConfigError, match=r"holds a model without manifest\.json; overwrite=true"):
        arm.state(config(), "f")


def test_one_process_per_arm(tmp_path: Path) -> None:
    first, second = Arm(tmp_path / "cw"), Arm(tmp_path / "cw")
    with first.locked(), pytest.raises(ConfigError, match="another process is at work on this arm"), second.locked():
        pass
    with Arm(tmp_path / "cw").locked():  # free again
        pass


@pytest.mark.parametrize("ratio", ["10k", "1:12", "general", "0"])
def test_settings_survive_the_file(tmp_path: Path, ratio: str) -> None:
    settings = config(f"data.ratio={ratio}")
    assert trained(tmp_path / "cw", settings).state(settings, "f") == "done"


def test_other_settings_are_refused_with_the_differing_keys(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", config())
    with pytest.raises(ConfigError) as error:
        arm.state(config("model.learning_rate=0.5", "data.overlong=drop"), "other")
    message = str(error.value)
    assert "data.overlong: truncate → drop" in message
    assert "model.learning_rate: 0.001 → 0.5" in message
    assert "optimizer.lr: 0.001 → 0.5" in message
    assert "the data themselves (fingerprint)" in message
    assert "resume=true" in message
    assert "overwrite=true" in message


def test_resume_accepts_more_epochs_and_overwrite_anything(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", config())
    assert arm.state(config("trainer.max_epochs=5", "resume=true"), "f") == "unfinished"
    for refused in ("trainer.max_epochs=2", "model.learning_rate=0.5"):  # a checkpoint brings its own rate along
        with pytest.raises(ConfigError, match="holds an arm with other settings"):
            arm.state(config(refused, "resume=true"), "f")
    assert arm.state(config("model.learning_rate=0.5", "overwrite=true"), "other") == "new"
    assert arm.model.exists()  # deleted only when the new run can start
    arm.clear()
    assert list(arm.folder.iterdir()) == []


def test_arms_come_in_the_papers_order(tmp_path: Path) -> None:
    for name in ("general", "cw+1to12", "cw+1to2", "cw+10k", "cw", "cw+5k", "cw+10k-outcome", "cw+500", "cw+1k"):
        Arm(tmp_path / name).write_manifest(DONE)
    names = [arm.name for arm in find_arms(tmp_path, None)]
    assert names == ["cw", "cw+500", "cw+1k", "cw+5k", "cw+10k", "cw+10k-outcome", "cw+1to2", "cw+1to12", "general"]
    assert [arm.name for arm in find_arms(tmp_path, ("general", "cw"))] == ["cw", "general"]
    with pytest.raises(ConfigError, match=r"arms: cw\+2k is no arm of study .*; did you mean"):
        find_arms(tmp_path, ("cw+2k",))


def test_an_arm_that_is_not_trained_is_left_out_or_refused(tmp_path: Path) -> None:
    for name, status in {"cw": "done", "general": "failed"}.items():
        Arm(tmp_path / name).write_manifest(DONE | {"status": status})
    arms, untrained = find_done_arms(tmp_path, None)
    assert ([arm.name for arm in arms], untrained) == (["cw"], ["general"])
    with pytest.raises(ConfigError, match=r"arms: general of study .* is not done"):
        find_done_arms(tmp_path, ("general",))
    Arm(tmp_path / "cw").write_manifest(DONE | {"status": "running"})
    with pytest.raises(ConfigError, match=r"arms: cw of study .* is not done"):
        find_done_arms(tmp_path, None)


def test_the_latest_study_is_taken_and_an_unknown_one_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"train one first, python train\.py"):
        find_study(None)
    for age, name in enumerate(["new", "old"]):
        Arm(Path("multirun") / name / "cw").write_manifest(DONE)
        os.utime(Path("multirun") / name / "cw" / "manifest.json", (1e9 - age, 1e9 - age))
    assert find_study(None).name == "new"
    assert find_study("old").name == "old"
    with pytest.raises(ConfigError, match="study=odl: no such study; did you mean 'old'"):
        find_study("odl")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("old")

    def fail() -> Any:
        with atomic_folder(tmp_path / "model") as partial:
            (partial / "weights").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert (tmp_path / "model" / "weights").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    write_atomic(tmp_path / "a" / "b.txt", "whole")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]
