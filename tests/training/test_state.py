"""What train.py does about an arm, by what its folder holds."""

import zipfile
from pathlib import Path

import pytest

from coig.config import TrainConfig
from coig.data.mixture import build_mixture
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.training.run import encode
from coig.training.state import check_encoding, decide_state
from tests.studies import compose_config, make_manifest


def checkpoint_of(arm: Arm) -> Path:
    return arm.checkpoint_of(step=7)


def trained(folder: Path, settings: TrainConfig, status: str = "done", fingerprint: str = "f") -> Arm:
    arm = Arm(folder)
    arm.write_config(settings)
    arm.write_manifest(make_manifest(arm.name, status=status, data={"fingerprint": fingerprint}))
    checkpoint_of(arm).parent.mkdir()
    with zipfile.ZipFile(checkpoint_of(arm), "w"):
        pass
    if status == "done":
        arm.model.mkdir()
    return arm


def test_a_done_arm_is_left_alone_and_a_broken_one_continued(tmp_path: Path) -> None:
    assert decide_state(Arm(tmp_path / "cw"), compose_config(), "f") == "new"
    assert decide_state(trained(tmp_path / "cw", compose_config()), compose_config(), "f") == "done"
    assert decide_state(trained(tmp_path / "cw+1k", compose_config(), "running"), compose_config(), "f") == "unfinished"
    failed = trained(tmp_path / "cw+5k", compose_config(), "failed")
    assert decide_state(failed, compose_config(), "f") == "unfinished"
    checkpoint_of(failed).unlink()
    assert decide_state(failed, compose_config("model.learning_rate=0.5"), "other") == "new"  # nothing to lose


def test_what_does_not_bear_on_results_may_change(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", compose_config())
    assert decide_state(arm, compose_config("logger=none", "trainer.tokens_per_micro_batch=512"), "f") == "done"


def test_without_its_checkpoint_an_arm_cannot_be_trained_longer(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", compose_config())
    checkpoint_of(arm).unlink()
    assert decide_state(arm, compose_config(), "f") == "done"
    with pytest.raises(ConfigError, match="has no checkpoint any more, so it cannot be trained longer; overwrite=true"):
        decide_state(arm, compose_config("resume=true", "trainer.max_epochs=5"), "f")


def test_the_last_checkpoint_counts(tmp_path: Path) -> None:
    """A kill between two renames leaves the one before it, too."""
    arm = trained(tmp_path / "cw", compose_config(), "running")
    sharded = arm.checkpoint_of(step=12)
    sharded.mkdir()
    assert arm.checkpoint == sharded
    with pytest.raises(ConfigError, match="damaged"):
        decide_state(arm, compose_config(), "f")
    (sharded / ".metadata").touch()
    assert decide_state(arm, compose_config(), "f") == "unfinished"


def test_damaged_folders_are_named_with_the_remedy(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", compose_config(), "running")
    with zipfile.ZipFile(checkpoint_of(arm), "w") as parts:
        parts.writestr("weights", b"whole")
    for damaged in (b"half", checkpoint_of(arm).read_bytes().replace(b"whole", b"whale")):
        checkpoint_of(arm).write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"step-00000007\.ckpt: damaged; overwrite=true"):
            decide_state(arm, compose_config(), "f")
    arm.write_manifest(make_manifest(arm.name))
    (arm.folder / "config.yaml").unlink()
    checkpoint_of(arm).unlink()
    with pytest.raises(ConfigError, match=r"config\.yaml: missing or damaged .* overwrite=true"):
        decide_state(arm, compose_config(), "f")
    for content in ("[]", "{", '{"status": "done"}'):
        (arm.folder / "manifest.json").write_text(content)
        with pytest.raises(ConfigError, match=r"manifest\.json: damaged .*; overwrite=true"):
            decide_state(arm, compose_config(), "f")
    (arm.folder / "manifest.json").unlink()
    arm.model.mkdir()
    with pytest.raises(ConfigError, match=r"holds a model without manifest\.json; overwrite=true"):
        decide_state(arm, compose_config(), "f")


@pytest.mark.parametrize("ratio", ["10k", "1:12", "general", "0"])
def test_settings_survive_the_file(tmp_path: Path, ratio: str) -> None:
    settings = compose_config(f"data.ratio={ratio}")
    assert decide_state(trained(tmp_path / "cw", settings), settings, "f") == "done"


def test_other_settings_are_refused_with_the_differing_keys(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", compose_config())
    with pytest.raises(ConfigError) as error:
        decide_state(arm, compose_config("model.learning_rate=0.5", "data.overlong=drop"), "other")
    message = str(error.value)
    assert "data.overlong: truncate → drop" in message
    assert "model.learning_rate: 0.001 → 0.5" in message
    assert "optimizer.lr: 0.001 → 0.5" in message
    assert "the data themselves (fingerprint)" in message
    assert "resume=true" in message
    assert "overwrite=true" in message


def test_resume_accepts_more_epochs_and_overwrite_anything(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", compose_config())
    assert decide_state(arm, compose_config("trainer.max_epochs=5", "resume=true"), "f") == "unfinished"
    for refused in ("trainer.max_epochs=2", "model.learning_rate=0.5"):  # a checkpoint brings its own rate along
        with pytest.raises(ConfigError, match="holds an arm with other settings"):
            decide_state(arm, compose_config(refused, "resume=true"), "f")
    assert decide_state(arm, compose_config("model.learning_rate=0.5", "overwrite=true"), "other") == "new"
    assert arm.model.exists()  # deleted only when the new run can start


def test_only_the_same_tokens_are_trained_on(tmp_path: Path) -> None:
    """An arm that was stopped is continued if this version encodes its data alike; a system prompt stands for another
    version. Manifests of earlier versions have only the numbers of tokens."""
    small = ("data.ratio=0", "data.creative.size=8")
    same, other = (
        encode(config, build_mixture(config.data, config.seed))
        for config in (compose_config(*small), compose_config(*small, "model.system_prompt=Write."))
    )
    arm = Arm(tmp_path / "cw")
    for recorded in (same.fingerprint, None):
        arm.write_manifest(make_manifest("cw", data={"train": same.groups, "token_fingerprint": recorded}))
        check_encoding(arm, same)
        with pytest.raises(ConfigError, match=r"cw: cannot be continued.* other tokens; .* overwrite=true"):
            check_encoding(arm, other)
    arm.write_manifest(make_manifest("cw", data={"train": same.groups, "token_fingerprint": other.fingerprint}))
    with pytest.raises(ConfigError, match="other tokens"):
        check_encoding(arm, same)
