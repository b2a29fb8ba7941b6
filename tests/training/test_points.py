"""Exports after shares of the training: what a run of so many steps would export, whatever happened on the way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.data.mixture import build_mixture
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.study.manifest import PointFacts
from coig.study.points import list_points
from coig.training.points import check_points, plan_points
from coig.training.run import check, encode
from coig.training.state import decide_state
from tests.conftest import outside
from tests.forked import ROOT, Forked, started_ranks
from tests.small_model import SMALL_MODEL
from tests.studies import compose_config
from tests.training.test_state import trained

SETTINGS = (
    *SMALL_MODEL,
    *("data.ratio=0", "data.creative.size=12", "data.validation.general=1", "model.max_length=160"),
    *("trainer.global_batch_size=2", "trainer.max_epochs=2", "trainer.checkpoint_every=4"),
    *("scheduler=constant", "scheduler.warmup=0"),  # so that a shorter run has the same learning rates
    *("logger=none", "study=s"),
)
STEPS = 12
QUARTER, HALF = "points/step-00000003", "points/step-00000006"
LORA = ("model/lora=rank16_4bit", "model.lora.dropout=0.1")


def start(folder: Path, arm: str, *overrides: str, stop_at: str | None = None) -> Forked:
    return Forked("train.py", [*SETTINGS, f"arm={arm}", *overrides], folder, outside(), stop_at)


def train(folder: Path, arm: str, *overrides: str) -> Arm:
    run = start(folder, arm, *overrides).wait()
    assert run.returncode == 0, run.stdout + run.stderr
    return Arm(folder / "multirun" / "s" / arm)


def files(folder: Path) -> dict[str, bytes]:
    """A model's files by name."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("own", [(), pytest.param(LORA, marks=pytest.mark.slow)], ids=["plain", "adapters"])
def test_a_point_is_what_a_run_of_so_many_steps_exports(own: tuple[str, ...], tmp_path: Path) -> None:
    """Neither keeping it nor a kill while it is written changes any weight."""
    whole = train(tmp_path, "whole", "trainer.answer_at=[0.25,0.5,1]", *own)
    assert files(whole.model) == files(train(tmp_path, "plain", *own).model)
    assert files(whole.folder / QUARTER / "model") == files(train(tmp_path, "short", "trainer.max_steps=3", *own).model)
    assert (whole.folder / QUARTER / "adapter").exists() == bool(own)
    killed = start(tmp_path, "cut", "trainer.answer_at=[0.25,0.5,1]", *own, stop_at=f"{HALF}/model")
    killed.wait_until_stopped()
    killed.kill()
    killed.wait()
    cut = tmp_path / "multirun" / "s" / "cut"
    [unfinished] = (cut / HALF).glob(".model.*")
    assert (unfinished / "model.safetensors").exists()
    train(tmp_path, "cut", "trainer.answer_at=[0.25,0.5,1]", *own)
    assert not unfinished.exists()
    for place in (QUARTER, HALF):
        assert files(cut / place / "model") == files(whole.folder / place / "model")
    assert files(cut / "model") == files(whole.model)
    for point in list_points(whole):
        point.check_weights()


def test_the_manifest_says_what_the_points_are(tmp_path: Path) -> None:
    arm = train(tmp_path, "cw", "trainer.answer_at=[0.25,0.5]")
    points, manifest = list_points(arm), arm.manifest()
    assert [(point.name, point.facts.step) for point in points] == [("cw@0.25", 3), ("cw@0.5", 6)]
    learned = [point.facts.supervised_tokens for point in points]
    assert manifest.training is not None
    assert learned[1] * 2 == manifest.training.supervised_tokens  # an epoch of two
    assert 0 < learned[0] < learned[1]
    assert len({manifest.model_sha256, *(point.manifest().model_sha256 for point in points)}) == 3


def test_a_longer_run_keeps_what_it_can_and_refuses_the_rest(tmp_path: Path) -> None:
    """Of 24 steps the shares are others: 6 is there, 12 is where it goes on, and 3 is past."""
    train(tmp_path, "cw", "trainer.answer_at=[0.5]")
    longer = ("resume=true", "trainer.max_epochs=4")
    arm = Arm(tmp_path / "multirun" / "s" / "cw")
    kept = files(arm.folder / HALF / "model")
    (arm.folder / HALF / "generations").mkdir()
    (arm.folder / HALF / "generations" / "sample.jsonl").write_text("{}\n")
    refused = start(tmp_path, "cw", *longer, "trainer.answer_at=[0.125,0.5]").wait()
    assert refused.returncode == 1
    assert "no export was kept after step 3 (trainer.answer_at=0.125), and the arm is at step 12" in refused.stderr
    before = files(arm.model)
    train(tmp_path, "cw", *longer, "trainer.answer_at=[0.25,0.5,0.75]")
    assert [point.facts.step for point in list_points(arm)] == [6, 12, 18]
    assert files(arm.folder / HALF / "model") == kept
    assert not list(arm.folder.glob("points/*/generations/*"))  # of another share
    assert files(arm.point_of(12) / "model") == before
    (arm.folder / "points" / "notes.txt").touch()
    again = start(tmp_path, "cw", *longer[:1], "trainer.max_epochs=5", "trainer.answer_at=[0.4,0.6]").wait()
    assert again.returncode == 0, again.stderr
    assert "step-00000006: deleted, since its step is none of this run's trainer.answer_at" in again.stdout
    left = ["notes.txt", "step-00000012", "step-00000018"]
    assert sorted(path.name for path in arm.folder.glob("points/*")) == left


@pytest.mark.slow
def test_sharded_arms_keep_points_too(tmp_path: Path) -> None:
    settings = (*SETTINGS, "arm=cw", "trainer.answer_at=[0.25]", "trainer.devices=2", "trainer.strategy=fsdp")
    short = (*settings, "arm=short", "trainer.max_steps=3", "trainer.answer_at=[]")
    for overrides in (settings, short):
        with started_ranks(tmp_path, *overrides) as ranks:
            for run in [rank.wait() for rank in ranks]:
                assert run.returncode == 0, run.stdout + run.stderr
    study = tmp_path / "multirun" / "s"
    assert files(study / "cw" / QUARTER / "model") == files(study / "short" / "model")


def test_the_pages_shares_meet_the_ends_of_smaller_arms() -> None:
    """The commands in README.md and docs/training.md; the steps are those of the sample."""
    pages = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/training.md"))
    given = dict(re.findall(r"data\.ratio=(\S+) 'trainer\.answer_at=(\S+)'", pages))
    assert {ratio: steps_of(f"data.ratio={ratio}")[0] for ratio in ("0", "1k", "10k")} == {"0": 6, "1k": 12, "10k": 63}
    assert steps_of("data.ratio=10k", f"trainer.answer_at={given['0,10k']}") == [63, 6]
    assert steps_of("data.ratio=1k", f"trainer.answer_at={given['1k']}") == [12, 6]
    assert steps_of("data.ratio=10k", f"trainer.answer_at={given['10k']}")[:3] == [63, 6, 12]


def steps_of(*overrides: str) -> list[int]:
    """Return the number of steps of an arm, then those of its points."""
    config = compose_config(*overrides)
    train = encode(config, build_mixture(config.data, config.seed, config.supervision.needs_reasoning))
    steps = config.trainer.total_steps(len(train))
    return [steps, *(point.step for point in plan_points(config, train, steps))]


@pytest.mark.parametrize("shares", ["[0]", "[1.5]", "[-0.5]", "[0.5,0.5]", "[0.5,0.25]", "[.nan]"])
def test_wrong_shares_get_one_message(shares: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_config(f"trainer.answer_at={shares.replace('.nan', 'nan')}")
    assert "give growing shares of the training, each once, above 0 and up to 1, such as [0.25,0.5]" in str(
        caught.value
    )
    assert str(caught.value).count("trainer.answer_at") == 1


def test_shares_of_one_step_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    run = start(tmp_path, "cw", "trainer.max_steps=3", "trainer.answer_at=[0.3,0.4]").wait()
    assert run.returncode == 1
    assert "trainer.answer_at: 0.3 and 0.4 are both after step 1 of 3; leave one out, or train longer" in run.stderr
    assert not (tmp_path / "multirun" / "s" / "cw").exists()
    last = start(tmp_path, "cw", "trainer.max_steps=3", "trainer.answer_at=[0.99]").wait()
    assert "trainer.answer_at: 1 and 0.99 are both after step 3 of 3" in last.stderr


@pytest.mark.parametrize(
    "length",
    [("data.ratio=0",), ("data.ratio=10k", "budget=steps", "budget.like={data.ratio: 0}")],
)
def test_a_sweep_is_refused_for_shares_of_one_step(length: tuple[str, ...]) -> None:
    """The check before a sweep finds them; with a budget, of the steps that the budget gives."""
    config = compose_config("study=never", "trainer.answer_at=[0.05,0.1]", *length)
    with pytest.raises(ConfigError, match=r"trainer\.answer_at: 0\.05 and 0\.1 are both after step 1 of 6"):
        check(config)


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ("[]", "exports after 0.25, 0.5 of the steps"),
        ("[0.25,0.75]", "exports after 0.5 of the steps"),
        ("[0.75]", "keep them with trainer.answer_at=[0.25,0.5,0.75], or train the arm anew with overwrite=true"),
    ],
)
def test_an_arm_that_goes_on_may_not_lose_its_exports(shares: str, told: str, tmp_path: Path) -> None:
    assert told in str(refusal(tmp_path, f"trainer.answer_at={shares}"))


def test_an_arm_that_goes_on_may_keep_further_exports(tmp_path: Path) -> None:
    assert refusal(tmp_path, "trainer.answer_at=[0.25,0.5,0.75]") is None


def test_a_longer_run_deletes_exports_only_if_it_has_shares(tmp_path: Path) -> None:
    longer = ("resume=true", "trainer.max_epochs=6")
    told = "trainer.answer_at=[0.125,0.25], delete them with trainer.answer_at=[1], or train the arm anew"
    assert told in str(refusal(tmp_path / "none", "trainer.answer_at=[]", *longer, steps=24))
    assert refusal(tmp_path / "whole", "trainer.answer_at=[1]", *longer, steps=24) is None
    assert refusal(tmp_path / "others", "trainer.answer_at=[0.25,0.75]", *longer, steps=24) is None


def refusal(folder: Path, *overrides: str, steps: int = 12) -> ConfigError | None:
    """Go on with an arm that has kept two points of 12 steps; return the error that refuses it, if one does."""
    arm = trained(folder / "cw", compose_config("trainer.answer_at=[0.25,0.5]"), "failed")
    arm.write_manifest(arm.manifest().model_copy(update={"points": points_of((0.25, 0.5), 12)}))
    for step in (3, 6):
        (arm.point_of(step) / "model").mkdir(parents=True)
    config = compose_config(*overrides)
    assert decide_state(arm, config, "f") == "unfinished"
    try:
        check_points(arm, config, points_of(config.trainer.answer_at, steps), steps)
    except ConfigError as error:
        return error
    return None


def points_of(shares: tuple[float, ...], steps: int) -> tuple[PointFacts, ...]:
    return tuple(PointFacts(share=one, step=round(one * steps), supervised_tokens=1) for one in shares if one < 1)


def test_shares_that_a_trained_arm_lacks_are_refused(tmp_path: Path) -> None:
    arm = trained(tmp_path / "cw", compose_config("trainer.answer_at=[0.25,0.5]"))
    for shares in ("[]", "[0.5]", "[0.25,0.5,1]"):
        assert decide_state(arm, compose_config(f"trainer.answer_at={shares}"), "f") == "done"
    with pytest.raises(ConfigError, match=r"trainer\.answer_at: \[0\.25, 0\.5\] → \[0\.75\] \(a trained arm gets no"):
        decide_state(arm, compose_config("trainer.answer_at=[0.75]"), "f")
    longer = compose_config("trainer.answer_at=[0.75]", "trainer.max_epochs=9", "resume=true")
    assert decide_state(arm, longer, "f") == "unfinished"
    stopped = trained(tmp_path / "general", compose_config("trainer.answer_at=[0.25]"), "failed")
    assert decide_state(stopped, compose_config("trainer.answer_at=[0.25,0.75]"), "f") == "unfinished"


def test_new_arms_are_not_named_like_points(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"arm='cw@0\.5': '@' is for the points of an arm"):
        config_of("train", TrainConfig, ["arm='cw@0.5'"])
    arm = trained(tmp_path / "me@home", compose_config())  # but old ones stay readable
    arm.write_config(compose_config().model_copy(update={"arm": "me@home"}))
    assert arm.config().arm == "me@home"
