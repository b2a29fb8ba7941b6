import os
import re
from pathlib import Path
from typing import Any

import pytest

from coig.errors import ConfigError
from coig.files.atomic import atomic_folder, write_atomic
from coig.study.__main__ import main
from coig.study.arm import Arm, discard_untrained_arms
from coig.study.find import find_arms, find_done_arms, find_study
from coig.study.sweep import FILE, note_sweep
from tests.studies import make_arm


def test_one_process_per_arm(tmp_path: Path) -> None:
    first, second = Arm(tmp_path / "cw"), Arm(tmp_path / "cw")
    with first.locked(), pytest.raises(ConfigError, match="another process is at work on this arm"), second.locked():
        pass
    with Arm(tmp_path / "cw").locked():  # free again
        pass


def test_arms_come_in_the_papers_order(tmp_path: Path) -> None:
    ratios = {"general": "general", "cw+1to12": "1:12", "cw+1to2": "1:2", "cw+10k": "10k", "cw": "0", "cw+5k": "5k"}
    ratios |= {"cw+10k-outcome": "10k", "cw+500": "500", "cw+1k": "1k"}
    for name, ratio in ratios.items():
        make_arm(tmp_path / name, ratio=ratio)
    names = [arm.name for arm in find_arms(tmp_path, None)]
    assert names == ["cw", "cw+500", "cw+1k", "cw+5k", "cw+10k", "cw+10k-outcome", "cw+1to2", "cw+1to12", "general"]
    assert [arm.name for arm in find_arms(tmp_path, ("general", "cw"))] == ["cw", "general"]
    with pytest.raises(ConfigError, match=r"arms: cw\+2k is no arm of study .*; did you mean"):
        find_arms(tmp_path, ("cw+2k",))


def test_an_arm_that_is_not_trained_is_left_out_or_refused(tmp_path: Path) -> None:
    for name, status in {"cw": "done", "general": "failed"}.items():
        make_arm(tmp_path / name, status=status)
    arms, untrained = find_done_arms(tmp_path, None)
    assert ([arm.name for arm in arms], untrained) == (["cw"], ["general"])
    with pytest.raises(ConfigError, match=r"arms: general of study .* is not done"):
        find_done_arms(tmp_path, ("general",))
    make_arm(tmp_path / "cw", status="running")
    with pytest.raises(ConfigError, match=r"arms: cw of study .* is not done"):
        find_done_arms(tmp_path, None)


def test_only_what_was_never_trained_is_deleted(tmp_path: Path) -> None:
    study = tmp_path / "multirun" / "s"
    make_arm(study / "cw")
    for name in ("cw+1k", "cw+5k", "general"):
        (study / name).mkdir()
    (study / "general" / "notes.txt").write_text("mine")
    (study / "linked").symlink_to(tmp_path)
    Arm(study / "cw+10k").discard_if_untrained()  # there is none
    with Arm(study / "cw+1k").locked():
        discard_untrained_arms(study)
    assert {path.name for path in study.iterdir()} == {"cw", "cw+1k", "general", "linked"}


def test_the_latest_study_is_taken_and_an_unknown_one_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"train one first, python train\.py"):
        find_study(None)
    for age, name in enumerate(["new", "old"]):
        make_arm(Path("multirun") / name / "cw")
        os.utime(Path("multirun") / name / "cw" / "manifest.json", (1e9 - age, 1e9 - age))
    assert find_study(None).name == "new"
    assert find_study("old").name == "old"
    with pytest.raises(ConfigError, match="study=odl: no such study; did you mean 'old'"):
        find_study("odl")


def test_of_studies_of_one_time_the_last_by_name_is_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = list("cdagebhf")
    for name in names:
        note_sweep(Path("multirun") / name, ["cw", "general"])
        make_arm(Path("multirun") / name / "cw")
        for file in (FILE, "cw/manifest.json"):
            os.utime(Path("multirun") / name / file, (1e9, 1e9))
    assert find_study(None).name == "h"
    main(["list"])
    assert re.findall(r"^ *(\w)/cw", capsys.readouterr().out, re.MULTILINE) == sorted(names)
    os.utime(Path("multirun") / "c" / FILE, (2e9, 2e9))
    os.utime(Path("multirun") / "g" / FILE, (2e9, 2e9))
    main(["watch"])
    assert capsys.readouterr().out.startswith("g: ")


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
